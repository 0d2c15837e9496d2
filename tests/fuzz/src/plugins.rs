//! Plugin files, and what a plugin says of itself.

use std::fs;

use lthost::{
    plugin::{CONTRACT, Limits, ParameterType, Plugin, PluginError, Wasi, componentize, inspect_bytes},
    run::{UdfSpec, declare as ask, describe as ask_manifest},
    shape::{Dtype, Shape},
};

use crate::{
    errors::{check_plugin, check_run},
    guests::{engine, limits, wasm},
    program::{A_IN_ARENA, Op, Phase, answer, assemble, once, with_described},
};

/// A larger file is no seed.
const MAX_SEED: usize = 1 << 16;

/// Takes the input for a plugin: says what it is, wraps it into a component, compiles it, and asks what it says of itself.
pub(crate) fn run(input: &[u8]) {
    let limits = Limits { wasi: Wasi::Stubbed, ..limits() };
    let facts = match inspect_bytes("input", input, &limits) {
        Ok(facts) => facts,
        Err(error) => {
            check_plugin(&error);
            let refused = componentize("input", input, &limits);
            check_plugin(&refused.expect_err("what is refused makes no component"));
            return;
        }
    };
    assert_eq!((facts.n_bytes, facts.contract.as_str()), (input.len(), CONTRACT));
    let component = componentize("input", input, &limits).expect("it was found to be a plugin");
    let of_component = inspect_bytes("input", &component, &limits).expect("it was made of a plugin");
    assert_eq!(of_component.encoding, "component");
    assert_eq!((of_component.imports, of_component.exports), (facts.imports, facts.exports));
    check_described(Plugin::from_bytes(engine(), "input", input, &limits));
}

/// Takes the input for instructions: what the guest's `describe` does and says.
pub(crate) fn describe(input: &[u8]) {
    let file = fs::read(wasm("hostile_driver")).expect("it is built");
    let lies = with_described(&file, input);
    check_described(Plugin::from_bytes(engine(), "input", &lies, &limits()));
}

/// Asks a plugin what it is, and what it would do.
fn check_described(plugin: Result<Plugin, PluginError>) {
    let plugin = match plugin {
        Ok(plugin) => plugin,
        Err(error) => return check_plugin(&error),
    };
    let manifest = match ask_manifest(&plugin, &limits()) {
        Ok(manifest) => manifest,
        Err(error) => return check_plugin(&error),
    };
    assert!(!manifest.name.is_empty() && !manifest.processes.is_empty());
    for parameter in &manifest.parameters {
        assert!(!parameter.types.is_empty(), "a parameter is of some type");
        let text: String = parameter.types.iter().map(ParameterType::describe).collect();
        assert!(text.len() < 1 << 16, "{} bytes to say of what type a parameter is", text.len());
    }
    let spec = UdfSpec { label: None, plugin, arguments: Vec::new() };
    let shape = |axes: [u64; 2]| Shape::new(axes).expect("a small shape");
    match ask(&spec, &shape([2, 3]), &shape([4, 5]), Dtype::U16, &limits()) {
        Ok(declared) => {
            assert!(declared.manifest.processes.contains(&declared.granularity));
            assert!(declared.buffers.iter().all(|buffer| !buffer.name.is_empty()));
        }
        Err(error) => check_run(&error),
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> =
        ["hostile_driver", "guest_noop"].map(|name| fs::read(wasm(name)).expect("it is built")).into();
    let component = |seed: &Vec<u8>| componentize("seed", seed, &limits()).expect("our own plugins are plugins");
    let components: Vec<Vec<u8>> = seeds.iter().map(component).collect();
    seeds.extend(components);
    let texts = [
        "(module)",
        "(component)",
        "(component (instance $i) (export \"lthost:udf/udf@0.1.0\" (instance $i)))",
        "(component (instance $i) (export \"lthost:udf/udf@0.2.0\" (instance $i)))",
        "(module (import \"wasi_snapshot_preview1\" \"fd_write\" (func (param i32 i32 i32 i32) (result i32))))",
        "(module (import \"lthost:udf/host@0.1.0\" \"log\" (func (param i32 i32 i32)))
            (memory (export \"memory\") 1)
            (func (export \"lthost:udf/udf@0.1.0#describe\") (result i32) i32.const 8))",
        "(component
            (import \"lthost:udf/host@0.1.0\" (instance))
            (core module $m (func (export \"f\") (result i32) i32.const 1))
            (core instance $m (instantiate $m))
            (func $f (result u32) (canon lift (core func $m \"f\")))
            (instance $i (export \"describe\" (func $f)))
            (export \"lthost:udf/udf@0.1.0\" (instance $i)))",
    ];
    seeds.extend(texts.map(|text| wat::parse_str(text).expect("it is valid text")));
    seeds.retain(|seed| seed.len() <= MAX_SEED);
    seeds
}

pub(crate) fn describe_seeds() -> Vec<Vec<u8>> {
    let poke = |place, number| once(Phase::Describe, Op::Poke, 0, [place, number, 3]);
    let single = |place, number| once(Phase::Describe, Op::Poke, 0, [place, number, 0]);
    let kept = |op, numbers| once(Phase::Describe, op, A_IN_ARENA, numbers);
    let programs = [
        vec![],
        // Names and lists of any length, anywhere.
        vec![poke(answer::NAME + 4, 0)],
        vec![poke(answer::NAME, u32::MAX)],
        vec![poke(answer::PARAMETERS + 4, 3)],
        vec![single(answer::CAPABILITIES - 1, 0)],
        vec![single(answer::CAPABILITIES, 255)],
        // A parameter of every type, and with every sort of default.
        vec![single(answer::TYPE, 0), single(answer::PARAMETER + 24, 1), single(answer::PARAMETER + 32, 1)],
        vec![single(answer::TYPE, 1), single(answer::PARAMETER + 24, 2), single(answer::PARAMETER + 72, 1)],
        vec![single(answer::TYPE, 2), single(answer::PARAMETER + 24, 3), single(answer::PARAMETER + 56, 1)],
        vec![single(answer::TYPE, 3), single(answer::PARAMETER + 24, 4)],
        vec![single(answer::TYPE, 4), single(answer::PARAMETER + 24, 5), single(answer::PARAMETER + 32, 9)],
        vec![single(answer::PARAMETER + 24, 6), single(answer::PARAMETER + 40, 1)],
        vec![single(answer::TYPE + 12, 1), poke(answer::TYPE + 20, 1)],
        vec![single(answer::TYPE, 6), single(answer::TYPE + 4, 10)],
        vec![single(answer::PARAMETER + 16, 1)],
        vec![poke(answer::TYPE + 8, 1000)],
        vec![kept(Op::Log, [0, 10, 0]), kept(Op::Emit, [0, 1, 0]), once(Phase::Describe, Op::Trap, 0, [0; 3])],
        vec![kept(Op::AnswerAt, [64, 0, 0])],
    ];
    programs.iter().map(|program| assemble(program)).collect()
}
