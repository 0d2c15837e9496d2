//! What a program is told of its surroundings: nothing. And its end, which is that of the call.

use wasmtime::component::{LinkerInstance, Resource};

use super::{
    super::state::{State, broken},
    Nothing, Store,
};

/// Defines a function of a program's surroundings, if there is a stub for it.
pub(super) fn define(
    instance: &mut LinkerInstance<'_, State>,
    interface: &str,
    function: &str,
) -> wasmtime::Result<bool> {
    match (interface, function) {
        ("wasi:cli/environment", "get-environment") => {
            instance.func_wrap(function, |_: Store<'_>, ()| Ok((Vec::<(String, String)>::new(),)))
        }
        ("wasi:cli/environment", "get-arguments") => {
            instance.func_wrap(function, |_: Store<'_>, ()| Ok((Vec::<String>::new(),)))
        }
        ("wasi:cli/environment", "initial-cwd") => {
            instance.func_wrap(function, |_: Store<'_>, ()| Ok((None::<String>,)))
        }
        ("wasi:filesystem/preopens", "get-directories") => {
            instance.func_wrap(function, |_: Store<'_>, ()| Ok((Vec::<(Resource<Nothing>, String)>::new(),)))
        }
        ("wasi:cli/terminal-stdin", "get-terminal-stdin") | ("wasi:cli/terminal-stderr", "get-terminal-stderr") => {
            instance.func_wrap(function, |_: Store<'_>, ()| Ok((None::<Resource<Nothing>>,)))
        }
        // Libraries keep what goes elsewhere until there are some thousand characters of it, or the program ends, which a
        // plugin never does. A terminal gets each line.
        ("wasi:cli/terminal-stdout", "get-terminal-stdout") => {
            instance.func_wrap(function, |_: Store<'_>, ()| Ok((Some(Resource::<Nothing>::new_own(0)),)))
        }
        ("wasi:cli/exit", "exit") => instance
            .func_wrap(function, |mut store: Store<'_>, (status,): (Result<(), ()>,)| {
                exit(&mut store, u8::from(status.is_err()))
            }),
        ("wasi:cli/exit", "exit-with-code") => {
            instance.func_wrap(function, |mut store: Store<'_>, (status,): (u8,)| exit(&mut store, status))
        }
        _ => return Ok(false),
    }?;
    Ok(true)
}

/// Ends the call.
fn exit(store: &mut Store<'_>, status: u8) -> wasmtime::Result<()> {
    Err(broken(store, format!("ends itself as a program does, with status {status}; a plugin returns instead")))
}
