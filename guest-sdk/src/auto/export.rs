//! The macro that makes a function a plugin.

/// Exports a function of a frame as the plugin that this crate is: `export_map!(f, "What it computes");`, once, with
/// `crate-type = ["cdylib", "rlib"]`. See [`auto`](crate::auto).
///
/// The first part is the signature of the function without its types of frame and result, and with defaults:
/// `f<T: Float>(frame, level: f64 = 0.5)`. The UDF is named like the function; in Rust it is `Auto<f>`.
#[macro_export]
macro_rules! export_map {
    ($function:ident $(<$dtype:ident: $bound:ident>)?, $summary:literal $(,)?) => {
        $crate::export_map!($function $(<$dtype: $bound>)? (frame), $summary);
    };
    (
        $function:ident $(<$dtype:ident: $bound:ident>)? (
            $frame:ident $(, $(#[doc = $doc:literal])* $argument:ident: $type:ty $(= $default:expr)?)* $(,)?
        ),
        $summary:literal $(,)?
    ) => {
        #[doc = $summary]
        #[allow(
            non_camel_case_types,
            unreachable_pub,
            clippy::allow_attributes,
            reason = "it stands for the function of this name, wherever that is"
        )]
        #[derive(Debug)]
        pub enum $function {}

        impl $crate::auto::Function for $function {
            fn manifest() -> $crate::Manifest {
                $crate::manifest!(stringify!($function), $summary)$(.parameter(
                    $crate::auto::parameter::<$type>(stringify!($argument), [$($default)?], &[$($doc),*]),
                ))*
            }

            fn input() -> $crate::Input {
                $crate::export_map!(@input $($bound)?, |frame| $function(
                    frame,
                    $($crate::auto::unbound::<$type>()),*
                ))
            }

            fn call(call: &$crate::auto::Call<'_>, take: &mut $crate::auto::Take<'_>) -> $crate::Result<()> {
                $crate::export_map!(@call $($bound)?, call, take, |frame| Ok::<_, $crate::Error>($function(
                    frame,
                    $(call.argument::<$type>(stringify!($argument))?),*
                )))
            }
        }

        $crate::export_udf!($crate::Auto<$function>);
    };

    // A function of one dtype says itself which.
    (@input, $call:expr) => {
        $crate::auto::exactly($call)
    };
    (@input Float, $call:expr) => {
        $crate::Input::AtLeast($crate::Dtype::F32)
    };
    (@input $bound:ident, $call:expr) => {
        $crate::Input::Native
    };

    (@call, $call:ident, $take:ident, $function:expr) => {
        $call.exactly($function, $take)
    };
    (@call Float, $call:ident, $take:ident, $function:expr) => {
        $crate::each_float!($call.pixels(), |pixels| $call.with(pixels, $function, $take)?)
    };
    (@call Real, $call:ident, $take:ident, $function:expr) => {
        $crate::each_real!($call.pixels(), |pixels| $call.with(pixels, $function, $take)?)
    };
    (@call Element, $call:ident, $take:ident, $function:expr) => {
        $crate::each_dtype!($call.pixels(), |pixels| $call.with(pixels, $function, $take))
    };
    (@call $bound:ident, $($rest:tt)*) => {
        compile_error!(concat!("expected `Float`, `Real` or `Element`, given `", stringify!($bound), "`"))
    };
}
