//! What the parameters of a run were set to.

use std::fmt;

use crate::{Array, Axis, Dtype, Error, Parameter, ParameterType, Result};

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

    /// All parameters of a struct that derives [`Parameters`](crate::Parameters).
    ///
    /// # Errors
    ///
    /// Where one is absent or of another type.
    pub fn read<P: Parameters>(&self) -> Result<P> {
        P::read(self)
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

#[diagnostic::on_unimplemented(
    message = "`{Self}` is no struct of parameters",
    note = "put `#[derive(Parameters)]` in front of it"
)]
/// A struct whose fields are parameters of a UDF: `#[derive(Parameters)]`, [`Manifest::parameters`] and [`Params::read`].
///
/// The type of a field says what is accepted ([`FromValue`]), its doc comment is what the user reads. The rest stands in
/// `#[param(..)]`: `default`, `minimum` and `maximum`, `choices`, `unit`, and of an array `axes` and `dtypes`, each with what the
/// function of [`Parameter`] of that name takes. A field without default is required, unless it is an `Option`.
///
/// ```
/// use lthost_guest_sdk::prelude::*;
///
/// #[derive(Parameters)]
/// struct Ring {
///     /// centre, (y, x)
///     #[param(unit = "px")]
///     center: [f64; 2],
///     /// inner radius
///     #[param(default = 0.0, minimum = 0.0, unit = "px")]
///     ri: f64,
///     /// outer radius; the whole frame if not given
///     #[param(minimum = 0.0, unit = "px")]
///     ro: Option<f64>,
///     /// what to do at the edge
///     #[param(default = "sharp", choices = ["sharp", "smooth"])]
///     edge: String,
///     /// weights of the pixels
///     #[param(axes = [Axis::Sig])]
///     weights: Option<Array>,
/// }
///
/// fn manifest() -> Manifest {
///     manifest!("ring", "Counts of each frame within a ring").parameters::<Ring>()
/// }
///
/// fn new(params: &Params) -> Result<()> {
///     let ring: Ring = params.read()?;
///     // ...
/// #   let _ = (ring.center, ring.ri, ring.ro, ring.edge, ring.weights);
///     Ok(())
/// }
/// ```
///
/// AUX data, which come with the tiles, are no field: declare them beside, with [`Manifest::parameter`].
///
/// [`Manifest::parameter`]: crate::Manifest::parameter
/// [`Manifest::parameters`]: crate::Manifest::parameters
pub trait Parameters: Sized {
    /// The parameters, in the order of the fields.
    fn declared() -> Vec<Parameter>;

    /// Their values.
    ///
    /// # Errors
    ///
    /// Where one is absent or of another type.
    fn read(params: &Params) -> Result<Self>;
}

#[diagnostic::on_unimplemented(
    message = "a parameter can't be of type `{Self}`",
    label = "no type of a parameter",
    note = "take `bool`, `i64`, `usize`, `f64`, `String`, `Dtype`, `Vec<f64>`, `[f64; N]`, `Array`, or an `Option` of one; \
            or implement `FromValue` for it"
)]
/// A type that a parameter can have in Rust: `bool`, `i64`, `usize`, `f64`, [`String`], [`Dtype`], `Vec<f64>`,
/// `[f64; N]`, [`Array`], or an `Option` of one of these for what may be left out. What else a parameter means to a UDF is
/// a type of its own that implements this.
pub trait FromValue: Sized {
    /// What it takes, for an error message.
    const EXPECTED: &str;

    /// What a default is written as.
    type Literal: Into<Value>;

    /// How it is declared: required, unless it may be left out.
    fn declare(name: &str) -> Parameter;

    /// The value as this type, if it is of this type.
    fn from_value(value: &Value) -> Option<Self>;
}

macro_rules! from_value {
    ($($type:ty, $literal:ty, $expected:expr, $declare:ident, $pattern:pat => $value:expr;)*) => { $(
        impl FromValue for $type {
            const EXPECTED: &str = $expected;
            type Literal = $literal;

            fn declare(name: &str) -> Parameter {
                Parameter::$declare(name).required()
            }

            fn from_value(value: &Value) -> Option<Self> {
                if let $pattern = value { Some($value) } else { None }
            }
        }
    )* };
}
from_value! {
    bool, bool, "true or false", flag, Value::Flag(flag) => *flag;
    i64, i64, "a whole number", integer, Value::Integer(number) => *number;
    String, &'static str, "text", text, Value::Text(text) => text.clone();
    Dtype, Dtype, "a dtype", dtype, Value::Dtype(dtype) => *dtype;
}

impl FromValue for f64 {
    const EXPECTED: &str = "a number";
    type Literal = Self;

    fn declare(name: &str) -> Parameter {
        Parameter::number(name).required()
    }

    #[expect(clippy::cast_precision_loss, reason = "a whole number given for a real one: rounding is what is meant")]
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Some(*number),
            Value::Integer(number) => Some(*number as Self),
            _ => None,
        }
    }
}

impl FromValue for usize {
    const EXPECTED: &str = "a whole number from 0 on";
    type Literal = Self;

    fn declare(name: &str) -> Parameter {
        Parameter::integer(name).minimum(0.0).required()
    }

    fn from_value(value: &Value) -> Option<Self> {
        i64::from_value(value).and_then(|number| Self::try_from(number).ok())
    }
}

impl FromValue for Array {
    const EXPECTED: &str = "an array";
    type Literal = Self;

    fn declare(name: &str) -> Parameter {
        Parameter::new(name, ParameterType::Array { dtypes: Vec::new(), axes: None }).required()
    }

    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Array(array) = value { Some(array.clone()) } else { None }
    }
}

impl FromValue for Vec<f64> {
    const EXPECTED: &str = "a list of numbers";
    type Literal = Self;

    fn declare(name: &str) -> Parameter {
        Parameter::array(name, &[Axis::Any]).dtypes(&Dtype::REAL).required()
    }

    fn from_value(value: &Value) -> Option<Self> {
        let array = Array::from_value(value)?;
        (array.shape().len() == 1 && !array.dtype().is_complex()).then(|| array.to_vec())
    }
}

impl<const N: usize> FromValue for [f64; N] {
    const EXPECTED: &str = "a list of so many numbers";
    type Literal = Self;

    fn declare(name: &str) -> Parameter {
        Parameter::array(name, &[Axis::Fixed(N)]).dtypes(&Dtype::REAL).required()
    }

    fn from_value(value: &Value) -> Option<Self> {
        Vec::from_value(value)?.try_into().ok()
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const EXPECTED: &str = T::EXPECTED;
    type Literal = T::Literal;

    fn declare(name: &str) -> Parameter {
        T::declare(name).optional()
    }

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

    #[derive(Debug, PartialEq, crate::Parameters)]
    struct Everything {
        /// How far,
        ///
        /// in the detector's plane
        #[param(default = 2.0, minimum = -1, maximum = 1e3, unit = "px")]
        r#loop: f64,
        #[param(choices = ["a", "b"])]
        word: String,
        #[param(default = 3)]
        count: usize,
        centre: Option<[f64; 2]>,
        #[param(axes = [Axis::Any, Axis::Sig], dtypes = [Dtype::F32])]
        stack: Option<Array>,
        levels: Vec<f64>,
    }

    #[test]
    fn fields_are_declared() {
        let [r, word, count, centre, stack, levels] = <[_; 6]>::try_from(Everything::declared()).unwrap();
        assert_eq!((r.name.as_str(), r.doc.as_str()), ("loop", "How far, in the detector's plane"));
        assert_eq!((r.default, r.minimum, r.maximum), (Value::Number(2.0), Some(-1.0), Some(1e3)));
        assert_eq!((r.required, r.unit.as_str(), r.types), (false, "px", vec![ParameterType::Number]));
        assert_eq!(
            (word.required, word.choices, word.types),
            (true, vec!["a".to_owned(), "b".to_owned()], vec![ParameterType::Text])
        );
        assert_eq!((count.default, count.minimum), (Value::Integer(3), Some(0.0)));
        let of = |dtypes: &[Dtype], axes: &[Axis]| ParameterType::Array {
            dtypes: dtypes.to_vec(),
            axes: Some(axes.to_vec()),
        };
        assert_eq!((centre.required, centre.types), (false, vec![of(&Dtype::REAL, &[Axis::Fixed(2)])]));
        assert_eq!(stack.types, [of(&[Dtype::F32], &[Axis::Any, Axis::Sig])]);
        assert_eq!((levels.required, levels.types), (true, vec![of(&Dtype::REAL, &[Axis::Any])]));
    }

    #[test]
    fn fields_are_read() {
        let list = |numbers: &[i32]| Value::Array(Array::new(&[numbers.len()], numbers).unwrap());
        let mut values = vec![
            ("loop".to_owned(), Value::Integer(4)),
            ("word".to_owned(), Value::from("b")),
            ("count".to_owned(), Value::Integer(0)),
            ("centre".to_owned(), list(&[1, 2])),
            ("stack".to_owned(), Value::Absent),
            ("levels".to_owned(), list(&[])),
        ];
        let expected = Everything {
            r#loop: 4.0,
            word: "b".to_owned(),
            count: 0,
            centre: Some([1.0, 2.0]),
            stack: None,
            levels: Vec::new(),
        };
        assert_eq!(Params { values: values.clone() }.read(), Ok(expected));
        values[3].1 = list(&[1, 2, 3]);
        let error = Params { values }.read::<Everything>().unwrap_err();
        let expected =
            "parameter `centre`: expected a list of so many numbers, given an array of shape [3] and dtype int32";
        assert_eq!(error.message(), expected);
    }
}
