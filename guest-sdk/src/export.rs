//! The macro that makes a UDF a plugin.

/// Exports a UDF as the plugin that this crate is: `export_udf!(Sum);`, once, with `crate-type = ["cdylib", "rlib"]`.
///
/// In a native build, where there is no host to export to, it only proves that the type implements
/// [`Udf`](crate::Udf), so that plugins build, lint and run their unit tests on any machine.
#[macro_export]
macro_rules! export_udf {
    ($udf:ty) => {
        const _: () = {
            #[cfg(target_arch = "wasm32")]
            #[allow(
                unsafe_code,
                clippy::allow_attributes,
                clippy::multiple_unsafe_ops_per_block,
                clippy::undocumented_unsafe_blocks,
                reason = "exports are unsafe by nature, and this code is generated"
            )]
            mod exports {
                use super::*;

                type Exported = $crate::Adapter<$udf>;
        $crate::bindings::export!(Exported with_types_in $crate::bindings);
            }

            const fn is_udf<U: $crate::Udf>() {}
            is_udf::<$udf>();
        };
    };
}
