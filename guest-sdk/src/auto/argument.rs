//! Arguments of a function besides the frame: parameters of the UDF.

use crate::{Array, Dtype, Error, FromValue, Parameter, Params, Result, Value};

#[diagnostic::on_unimplemented(
    message = "an argument of a function of a frame can't be of type `{Self}`",
    label = "no type of a parameter",
    note = "take `bool`, `i64`, `usize`, `f64`, `&str`, `Dtype`, `Vec<f64>`, `[f64; N]`, `&Array`, or an `Option` of one"
)]
/// A type that an argument of a function can have: `bool`, `i64`, `usize`, `f64`, `&str`, [`Dtype`], `Vec<f64>`,
/// `[f64; N]`, `&Array`, or an `Option` of one of these for what may be left out.
pub trait Argument<'a>: Sized {
    /// What it takes, for an error message.
    const EXPECTED: &'static str;

    /// How it is declared.
    fn declare(name: &str) -> Parameter;

    /// The value as this type, if it is of this type.
    fn bind(value: &'a Value) -> Option<Self>;

    /// The value that it is bound from, as a default has it.
    fn into_value(self) -> Value;
}

macro_rules! argument {
    ($($type:ty $(, $len:ident)?;)*) => { $(
        impl<'a $(, const $len: usize)?> Argument<'a> for $type {
            const EXPECTED: &'static str = <Self as FromValue>::EXPECTED;

            fn declare(name: &str) -> Parameter {
                <Self as FromValue>::declare(name)
            }

            fn bind(value: &'a Value) -> Option<Self> {
                Self::from_value(value)
            }

            fn into_value(self) -> Value {
                self.into()
            }
        }
    )* };
}
argument! {
    bool;
    i64;
    usize;
    f64;
    Dtype;
    Vec<f64>;
    [f64; N], N;
}

impl<'a> Argument<'a> for &'a str {
    const EXPECTED: &'static str = <String as FromValue>::EXPECTED;

    fn declare(name: &str) -> Parameter {
        String::declare(name)
    }

    fn bind(value: &'a Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text) } else { None }
    }

    fn into_value(self) -> Value {
        self.into()
    }
}

impl<'a> Argument<'a> for &'a Array {
    const EXPECTED: &'static str = <Array as FromValue>::EXPECTED;

    fn declare(name: &str) -> Parameter {
        Array::declare(name)
    }

    fn bind(value: &'a Value) -> Option<Self> {
        if let Value::Array(array) = value { Some(array) } else { None }
    }

    fn into_value(self) -> Value {
        self.clone().into()
    }
}

impl<'a, A: Argument<'a>> Argument<'a> for Option<A> {
    const EXPECTED: &'static str = A::EXPECTED;

    fn declare(name: &str) -> Parameter {
        A::declare(name).optional()
    }

    fn bind(value: &'a Value) -> Option<Self> {
        if *value == Value::Absent { Some(None) } else { A::bind(value).map(Some) }
    }

    fn into_value(self) -> Value {
        self.map_or(Value::Absent, A::into_value)
    }
}

/// The parameter that argument `name` of type `A` makes, with its default, if there is one, and the lines of its
/// documentation.
pub fn parameter<'a, A: Argument<'a>>(name: &str, default: impl IntoIterator<Item = A>, doc: &[&str]) -> Parameter {
    let mut parameter = A::declare(plain(name));
    for default in default {
        parameter = parameter.default(default.into_value());
    }
    let doc: Vec<_> = doc.iter().map(|line| line.trim()).collect();
    parameter.doc(&doc.join(" "))
}

/// A name without what Rust puts before one that is a word of its own.
fn plain(name: &str) -> &str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// The value of parameter `name` as an argument.
pub(super) fn argument<'a, A: Argument<'a>>(params: &'a Params, name: &str) -> Result<A> {
    let value = params.value(plain(name))?;
    A::bind(value).ok_or_else(|| Error::parameter(name, A::EXPECTED, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(value: impl Into<Value>) -> Params {
        Params { values: vec![("p".to_owned(), value.into())] }
    }

    #[test]
    fn only_an_argument_without_default_is_required() {
        assert!(parameter::<f64>("p", [], &[]).required);
        assert!(!parameter::<Option<f64>>("p", [], &[]).required);
        assert_eq!(parameter::<&str>("r#type", [], &[]).name, "type");
        let parameter = parameter::<&str>("p", ["max"], &[" what to", " do"]);
        assert!(!parameter.required);
        assert_eq!((parameter.default, parameter.doc.as_str()), (Value::from("max"), "what to do"));
    }

    #[test]
    fn arguments_are_bound_by_type() {
        assert_eq!(argument(&params(3_i64), "p"), Ok(3_usize));
        assert_eq!(argument(&params(3_i64), "p"), Ok(3.0));
        assert_eq!(argument(&params("max"), "p"), Ok("max"));
        assert_eq!(argument(&params(Value::Absent), "p"), Ok(None::<bool>));
        assert_eq!(argument(&params(true), "p"), Ok(Some(true)));
        let array = Array::new(&[2], &[1_u8, 2]).unwrap();
        assert_eq!(argument(&params(array.clone()), "p"), Ok(&array));
    }

    #[test]
    fn another_type_is_an_error_that_names_it() {
        let error = argument::<usize>(&params(-1_i64), "p").unwrap_err();
        assert_eq!(error.message(), "parameter `p`: expected a whole number from 0 on, given -1");
    }
}
