//! What the parameters of a run were set to.

use std::fmt;

use crate::{Array, Dtype, Error, Result};

/// Value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Not given, and no default.
    Absent,
    /// True or false.
    Flag(bool),
    /// A whole number.
    Integer(i64),
    /// A real number.
    Number(f64),
    /// Text.
    Text(String),
    /// A dtype.
    Dtype(Dtype),
    /// An array.
    Array(Array),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("nothing"),
            Self::Flag(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(value) => write!(f, "{value:?}"),
            Self::Dtype(value) => value.fmt(f),
            Self::Array(value) => write!(f, "an array of shape {:?} and dtype {}", value.shape(), value.dtype()),
        }
    }
}

/// The parameters of a run.
#[derive(Debug, Clone, Default)]
pub struct Params {
    pub(crate) values: Vec<(String, Value)>,
}

impl Params {
    /// The value of `name` as a Rust type: `params.get::<f64>("r")?`, or `Option<f64>` for one that may be absent.
    ///
    /// # Errors
    ///
    /// Where it is absent or of another type, and where there is no such parameter.
    pub fn get<T: FromValue>(&self, name: &str) -> Result<T> {
        let value = self.value(name)?;
        T::from_value(value).ok_or_else(|| Error::parameter(name, T::EXPECTED, value))
    }

    /// Whether `name`, which the UDF declares, was given as AUX data: tiles bring its entries.
    pub fn is_aux(&self, name: &str) -> bool {
        self.value(name).is_err()
    }

    /// The value of `name`, whatever its type.
    ///
    /// # Errors
    ///
    /// Where there is no such parameter.
    pub fn value(&self, name: &str) -> Result<&Value> {
        let found = self.values.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value).ok_or_else(|| Error::new(format!("the UDF has no parameter `{name}`")))
    }
}

/// A Rust type that [`Params::get`] gives.
pub trait FromValue: Sized {
    /// What it takes, for an error message.
    const EXPECTED: &str;

    /// The value as this type, if it is of this type.
    fn from_value(value: &Value) -> Option<Self>;
}

macro_rules! from_value {
    ($($type:ty, $expected:expr, $pattern:pat => $value:expr;)*) => { $(
        impl FromValue for $type {
            const EXPECTED: &str = $expected;

            fn from_value(value: &Value) -> Option<Self> {
                if let $pattern = value { Some($value) } else { None }
            }
        }
    )* };
}
from_value! {
    bool, "true or false", Value::Flag(flag) => *flag;
    i64, "a whole number", Value::Integer(number) => *number;
    String, "text", Value::Text(text) => text.clone();
    Dtype, "a dtype", Value::Dtype(dtype) => *dtype;
    Array, "an array", Value::Array(array) => array.clone();
}

impl FromValue for f64 {
    const EXPECTED: &str = "a number";

    #[expect(clippy::cast_precision_loss, reason = "a whole number given for a real one: rounding is what is meant")]
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Some(*number),
            Value::Integer(number) => Some(*number as Self),
            _ => None,
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const EXPECTED: &str = T::EXPECTED;

    fn from_value(value: &Value) -> Option<Self> {
        if *value == Value::Absent { Some(None) } else { T::from_value(value).map(Some) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_parameter_expected_and_given() {
        let params = Params { values: vec![("r".to_owned(), Value::Text("big".to_owned()))] };
        let error = params.get::<f64>("r").unwrap_err();
        assert_eq!(error.message(), "parameter `r`: expected a number, given \"big\"");
        assert!(params.get::<f64>("q").is_err());
    }

    #[test]
    fn absent_is_none() {
        let params = Params { values: vec![("r".to_owned(), Value::Absent)] };
        assert_eq!(params.get::<Option<f64>>("r"), Ok(None));
        assert!(params.get::<f64>("r").is_err());
    }
}
