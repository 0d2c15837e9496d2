//! A first look at the bytes of a plugin: in time and memory that grow with their number alone, whatever they are. What is
//! too large for the compiler is refused here, before anything is built from it.

use wasmparser::{BinaryReaderError, FunctionBody, Operator, Parser, Payload};

use super::{
    Limits, PluginError,
    load::{invalid, refuse},
};

/// Sees that a plugin keeps to the limits that its bytes show.
///
/// # Errors
///
/// [`PluginError::Refused`].
pub(super) fn scan(origin: &str, bytes: &[u8], limits: &Limits) -> Result<(), PluginError> {
    let refused = |what: Excess| refuse(origin, what.to_string());
    let invalid = |error: BinaryReaderError| invalid(origin, error);
    let (mut depth, mut n_functions) = (0_u64, 0_u64);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(invalid)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                depth += 1;
                check("components in each other", depth, limits.max_nesting, "--max-nesting").map_err(refused)?;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CodeSectionStart { count, .. } => {
                n_functions = n_functions.saturating_add(u64::from(count));
                check("functions", n_functions, limits.max_functions, "--max-functions").map_err(refused)?;
            }
            Payload::CodeSectionEntry(body) => {
                let n_bytes = body.range().len() as u64;
                check("bytes in one function", n_bytes, limits.max_function_bytes, "--max-function-bytes")
                    .map_err(refused)?;
                let depth = nesting(&body).map_err(invalid)?;
                check("blocks in each other", depth, limits.max_nesting, "--max-nesting").map_err(refused)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// There is too much of something.
#[derive(Debug, thiserror::Error)]
#[error("it has {n} {what}, at most {limit} are allowed (raise {option})")]
struct Excess {
    what: &'static str,
    n: u64,
    limit: u64,
    option: &'static str,
}

fn check(what: &'static str, n: u64, limit: u64, option: &'static str) -> Result<(), Excess> {
    if n <= limit { Ok(()) } else { Err(Excess { what, n, limit, option }) }
}

/// How many blocks stand in each other at most.
fn nesting(body: &FunctionBody<'_>) -> Result<u64, BinaryReaderError> {
    let (mut depth, mut deepest) = (0_u64, 0);
    for operator in body.get_operators_reader()? {
        match operator? {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } | Operator::TryTable { .. } => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            Operator::End => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(deepest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// LEB128.
    fn number(mut n: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let byte = u8::try_from(n & 0x7f).unwrap();
            n >>= 7;
            bytes.push(if n == 0 { byte } else { byte | 0x80 });
            if n == 0 {
                return bytes;
            }
        }
    }

    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        [&[id][..], &number(content.len()), content].concat()
    }

    /// A module with these function bodies, without locals.
    fn module(bodies: &[Vec<u8>]) -> Vec<u8> {
        let functions = [number(bodies.len()), vec![0; bodies.len()]].concat();
        let code = bodies.iter().map(|body| [&number(body.len() + 2)[..], &[0], body, &[0x0b]].concat());
        let code = [number(bodies.len()), code.collect::<Vec<_>>().concat()].concat();
        let types = section(1, &[1, 0x60, 0, 0]);
        [b"\0asm\x01\0\0\0".to_vec(), types, section(3, &functions), section(10, &code)].concat()
    }

    fn refusal(bytes: &[u8], limits: &Limits) -> String {
        scan("x.wasm", bytes, limits).unwrap_err().to_string()
    }

    #[test]
    fn what_is_too_large_is_told_with_the_option_that_raises_the_limit() {
        let limits = Limits { max_function_bytes: 10, max_functions: 3, max_nesting: 2, ..Limits::default() };
        let nops = |n: usize| vec![0x01; n];
        let blocks = |n: usize| [[0x02, 0x40].repeat(n), vec![0x0b; n]].concat();
        scan("x.wasm", &module(&[nops(8), blocks(2)]), &limits).unwrap();
        let refused = "plugin `x.wasm` is refused: it has";
        assert_eq!(
            refusal(&module(&[nops(9)]), &limits),
            format!("{refused} 11 bytes in one function, at most 10 are allowed (raise --max-function-bytes)")
        );
        assert_eq!(
            refusal(&module(&[nops(0), nops(0), nops(0), nops(0)]), &limits),
            format!("{refused} 4 functions, at most 3 are allowed (raise --max-functions)")
        );
        let deep = Limits { max_function_bytes: 1000, ..limits.clone() };
        assert_eq!(
            refusal(&module(&[blocks(3)]), &deep),
            format!("{refused} 3 blocks in each other, at most 2 are allowed (raise --max-nesting)")
        );
        let component = |inner: Vec<u8>| [b"\0asm\x0d\0\x01\0".to_vec(), section(4, &inner)].concat();
        let nested = (0..4).fold(b"\0asm\x0d\0\x01\0".to_vec(), |inner, _| component(inner));
        assert_eq!(
            refusal(&nested, &limits),
            format!("{refused} 3 components in each other, at most 2 are allowed (raise --max-nesting)")
        );
    }

    #[test]
    fn a_damaged_file_is_no_plugin() {
        let whole = module(&[vec![0x01; 20]]);
        for len in 8..whole.len() {
            // What ends between two sections is whole.
            if let Err(error) = scan("x", &whole[..len], &Limits::default()) {
                assert!(error.to_string().contains("it is no valid WebAssembly: "), "{error}");
            }
        }
    }
}
