//! Stand-ins for WASI, the system that many languages' runtimes want: nothing to read, a clock and random numbers that are the
//! same in every run, and what is printed goes to the log. All else is there, and ends the call that asks for it.
//!
//! A handle is a number that says what it is for, with nothing behind it. How many an instance has, wasmtime limits.

mod clock;
mod output;
mod program;
mod random;

use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1;
use wasmtime::{
    StoreContextMut,
    component::{Component, Linker, LinkerInstance, ResourceType, types::ComponentItem},
};

use super::{
    error::printable,
    state::{State, broken},
};
use clock::{Clock, Pollable};
use output::{Input, Line, Output};
use random::Random;

/// Functions and types of WASI that a component may import; there are some hundred.
const MAX_ITEMS: usize = 10_000;

/// What the stubs keep for an instance.
#[derive(Debug, Default)]
pub(super) struct Stubs {
    stdout: Line,
    stderr: Line,
    clock: Clock,
    random: Random,
    partition: Option<u64>,
}

impl Stubs {
    /// A call begins. Which partitions an instance had before must not be seen in a result: so each of them has random numbers
    /// and a time of its own, and a call that belongs to none always has the same random numbers.
    pub(super) fn start_call(&mut self, partition: Option<u64>) {
        if partition.is_none() || partition != self.partition {
            self.partition = partition;
            self.random = Random::of(partition);
            self.clock.start(partition);
        }
    }
}

/// Resources of which there is none, or with which nothing can be done.
enum Nothing {}

type Store<'a> = StoreContextMut<'a, State>;

/// The interface without its version, like `wasi:cli/stdout`, if it is one that can be stubbed.
pub(super) fn interface(import: &str) -> Option<&str> {
    let (interface, version) = import.split_once('@')?;
    let patch = version.strip_prefix("0.2.")?;
    let is_release = !patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit());
    (is_release && interface.starts_with("wasi:")).then_some(interface)
}

/// Whether what a core module imports from is there, if WASI is stubbed.
pub(super) fn is_module(name: &str) -> bool {
    name == PREVIEW1 || interface(name).is_some()
}

/// Whether an import would be there with WASI stubbed: an interface, or a function of a core module as `module.function`.
pub(super) fn is_stubbed(import: &str) -> bool {
    interface(import).is_some() || import.match_indices('.').any(|(at, _)| is_module(&import[..at]))
}

/// Lets a component import what it wants of WASI.
pub(super) fn link(linker: &mut Linker<State>, component: &Component) -> wasmtime::Result<()> {
    let (engine, component) = (linker.engine().clone(), component.component_type());
    let (mut n_items, mut resources) = (0, Vec::new());
    for (name, import) in component.imports(&engine) {
        let Some(interface) = interface(name) else { continue };
        // Whatever else has such a name fits nowhere, and instantiating says so.
        let ComponentItem::ComponentInstance(items) = import.ty else { continue };
        // By its own name: there may be several versions of an interface.
        let mut instance = linker.instance(name)?;
        for (item, export) in items.exports(&engine) {
            n_items += 1;
            if n_items > MAX_ITEMS {
                wasmtime::bail!("imports more than {MAX_ITEMS} functions and types of WASI");
            }
            match export.ty {
                ComponentItem::ComponentFunc(_) => link_function(&mut instance, (name, interface), item)?,
                // Only where it comes from: interfaces that use it name it again, and get that one.
                ComponentItem::Resource(resource) if !resources.contains(&resource) => {
                    resources.push(resource);
                    instance.resource(item, resource_type(interface, item), |_, _| Ok(()))?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Defines a function by its stub, or else as one that ends the call.
fn link_function(
    instance: &mut LinkerInstance<'_, State>,
    (name, interface): (&str, &str),
    function: &str,
) -> wasmtime::Result<()> {
    let is_defined = output::define(instance, interface, function)?
        || clock::define(instance, interface, function)?
        || random::define(instance, interface, function)?
        || program::define(instance, interface, function)?;
    if is_defined {
        return Ok(());
    }
    let (name, shown) = (printable(name, 200), printable(function, 200));
    instance.func_new(function, move |mut store: Store<'_>, _, _, _| {
        let what = format!("calls `{shown}` of `{name}`, which does nothing here: WASI is stubbed (--wasi=stub)");
        Err(broken(&mut store, what))
    })
}

/// Which of the host's types a resource is.
fn resource_type(interface: &str, resource: &str) -> ResourceType {
    match (interface, resource) {
        ("wasi:io/poll", "pollable") => ResourceType::host::<Pollable>(),
        ("wasi:io/streams", "input-stream") => ResourceType::host::<Input>(),
        ("wasi:io/streams", "output-stream") => ResourceType::host::<Output>(),
        _ => ResourceType::host::<Nothing>(),
    }
}

/// A call has ended: what it printed without an end of line is logged, too.
pub(super) fn end_call(state: &mut State) {
    output::end_lines(state);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_releases_of_one_version_are_stubbed() {
        assert_eq!(interface("wasi:cli/stdout@0.2.0"), Some("wasi:cli/stdout"));
        assert_eq!(interface("wasi:io/poll@0.2.12"), Some("wasi:io/poll"));
        for other in [
            "wasi:cli/stdout",
            "wasi:cli/stdout@0.2",
            "wasi:cli/stdout@0.2.",
            "wasi:cli/stdout@0.3.0",
            "wasi:cli/stdout@0.2.0-rc-2023-11-10",
            "lthost:udf/host@0.2.0",
            "evil",
        ] {
            assert_eq!(interface(other), None, "{other}");
        }
    }

    #[test]
    fn functions_of_modules_are_known_as_they_are_listed() {
        assert!(is_stubbed("wasi_snapshot_preview1.fd_write"));
        assert!(is_stubbed("wasi:cli/stdout@0.2.0"));
        assert!(is_stubbed("wasi:io/streams@0.2.0.[method]output-stream.write"));
        assert!(!is_stubbed("wasi_unstable.fd_write"));
        assert!(!is_stubbed("env.open"));
        assert!(!is_stubbed("wasi:cli/stdout@0.3.0"));
    }
}
