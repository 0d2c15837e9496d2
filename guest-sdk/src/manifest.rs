//! What a UDF is: name, parameters, and which of the optional functions it has.

use crate::{Array, Dtype, Granularity, Parameters, Value};

/// What a UDF is. [`manifest!`](crate::manifest) starts one.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) summary: String,
    pub(crate) authors: Vec<String>,
    pub(crate) license: String,
    pub(crate) parameters: Vec<Parameter>,
    /// The smallest portion that the UDF can process; it takes larger ones, too.
    pub(crate) finest: Granularity,
    pub(crate) has: Has,
    pub(crate) real_only: bool,
}

/// Which optional functions a UDF has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "five functions, each there or not")]
pub(crate) struct Has {
    pub(crate) preprocess: bool,
    pub(crate) merge: bool,
    pub(crate) merge_all: bool,
    pub(crate) results: bool,
    pub(crate) update: bool,
}

/// Starts a [`Manifest`] with name and summary; version, authors and licence are those of the plugin's `Cargo.toml`.
///
/// ```
/// use lthost_guest_sdk::{Dtype, Manifest, Parameter, manifest};
///
/// let manifest: Manifest = manifest!("sum", "Sum of all frames")
///     .parameter(Parameter::dtype("dtype").default(Dtype::F32).doc("dtype in which frames are added"));
/// ```
#[macro_export]
macro_rules! manifest {
    ($name:expr, $summary:expr) => {
        $crate::Manifest::new($name, $summary).package(
            env!("CARGO_PKG_VERSION"),
            env!("CARGO_PKG_AUTHORS"),
            env!("CARGO_PKG_LICENSE"),
        )
    };
}

impl Manifest {
    /// `name` is short, of letters, digits, `_` and `-`; `summary` says in one line what the UDF computes.
    pub fn new(name: &str, summary: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: String::new(),
            summary: summary.to_owned(),
            authors: Vec::new(),
            license: String::new(),
            parameters: Vec::new(),
            finest: Granularity::Tile,
            has: Has::default(),
            real_only: false,
        }
    }

    /// What cargo knows about the plugin; `authors` are separated by `:`.
    #[must_use]
    pub fn package(mut self, version: &str, authors: &str, license: &str) -> Self {
        version.clone_into(&mut self.version);
        self.authors = authors.split(':').filter(|author| !author.is_empty()).map(str::to_owned).collect();
        license.clone_into(&mut self.license);
        self
    }

    /// Adds a parameter.
    #[must_use]
    pub fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Adds the parameters of a struct that derives [`Parameters`].
    #[must_use]
    pub fn parameters<P: Parameters>(mut self) -> Self {
        self.parameters.extend(P::declared());
        self
    }

    /// The UDF takes no complex numbers: a data set that has them is refused before anything is read.
    #[must_use]
    pub fn real_only(mut self) -> Self {
        self.real_only = true;
        self
    }

    /// The UDF needs whole frames: a tile has any number of them.
    #[must_use]
    pub fn by_frame(mut self) -> Self {
        self.finest = Granularity::Frame;
        self
    }

    /// The UDF needs all frames of a partition in one tile.
    #[must_use]
    pub fn by_partition(mut self) -> Self {
        self.finest = Granularity::Partition;
        self
    }

    #[cfg(not(target_arch = "wasm32"))]
    /// What a tile of the UDF has: what its preferences ask for, or the smallest portion that it can process.
    pub(crate) fn granularity(&self, preferences: &crate::Preferences) -> Granularity {
        preferences.granularity.unwrap_or(self.finest)
    }

    /// [`Udf::preprocess`](crate::Udf::preprocess) is there.
    #[must_use]
    pub fn with_preprocess(mut self) -> Self {
        self.has.preprocess = true;
        self
    }

    /// [`Udf::merge`](crate::Udf::merge) is there.
    #[must_use]
    pub fn with_merge(mut self) -> Self {
        self.has.merge = true;
        self
    }

    /// [`Udf::merge_all`](crate::Udf::merge_all) is there.
    #[must_use]
    pub fn with_merge_all(mut self) -> Self {
        self.has.merge_all = true;
        self
    }

    /// [`Udf::results`](crate::Udf::results) is there.
    #[must_use]
    pub fn with_results(mut self) -> Self {
        self.has.results = true;
        self
    }

    /// [`Udf::update`](crate::Udf::update) is there.
    #[must_use]
    pub fn with_update(mut self) -> Self {
        self.has.update = true;
        self
    }
}

/// Axis of an array parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Any extent.
    Any,
    /// This extent.
    Fixed(usize),
    /// All sig axes of the data set, in order.
    Sig,
    /// All nav axes of the data set, in order.
    Nav,
}

/// One type that a parameter accepts.
#[derive(Debug, Clone, PartialEq)]
pub enum ParameterType {
    /// True or false.
    Flag,
    /// A whole number.
    Integer,
    /// A real number.
    Number,
    /// Text.
    Text,
    /// The name of a dtype.
    Dtype,
    /// An array.
    Array {
        /// Accepted dtypes; empty for all.
        dtypes: Vec<Dtype>,
        /// Expected axes; none for any shape.
        axes: Option<Vec<Axis>>,
    },
    /// AUX data: an entry for each frame of the scan, given in the scan's shape or flat. See
    /// [`Tile::aux`](crate::Tile::aux).
    Aux {
        /// What the host converts it to.
        dtype: Dtype,
        /// Shape of one entry; empty for a number per frame.
        extra_shape: Vec<usize>,
    },
}

/// Declares a parameter: `Parameter::number("cy").unit("px").doc("centre, slow axis")`.
#[derive(Debug, Clone)]
pub struct Parameter {
    pub(crate) name: String,
    pub(crate) types: Vec<ParameterType>,
    pub(crate) required: bool,
    pub(crate) default: Value,
    pub(crate) minimum: Option<f64>,
    pub(crate) maximum: Option<f64>,
    pub(crate) choices: Vec<String>,
    pub(crate) unit: String,
    pub(crate) doc: String,
}

impl Parameter {
    /// True or false.
    pub fn flag(name: &str) -> Self {
        Self::new(name, ParameterType::Flag)
    }

    /// A whole number.
    pub fn integer(name: &str) -> Self {
        Self::new(name, ParameterType::Integer)
    }

    /// A real number; infinity and NaN are written `inf` and `nan`.
    pub fn number(name: &str) -> Self {
        Self::new(name, ParameterType::Number)
    }

    /// Text.
    pub fn text(name: &str) -> Self {
        Self::new(name, ParameterType::Text)
    }

    /// The name of a dtype, like `float32`.
    pub fn dtype(name: &str) -> Self {
        Self::new(name, ParameterType::Dtype)
    }

    /// An array with these axes, of any dtype.
    pub fn array(name: &str, axes: &[Axis]) -> Self {
        Self::new(name, ParameterType::Array { dtypes: Vec::new(), axes: Some(axes.to_vec()) })
    }

    /// AUX data with entries of `extra_shape`.
    pub fn aux(name: &str, dtype: Dtype, extra_shape: &[usize]) -> Self {
        Self::new(name, ParameterType::Aux { dtype, extra_shape: extra_shape.to_vec() })
    }

    /// Any type; [`Parameter::or`] adds further ones.
    pub fn new(name: &str, first: ParameterType) -> Self {
        Self {
            name: name.to_owned(),
            types: vec![first],
            required: false,
            default: Value::Absent,
            minimum: None,
            maximum: None,
            choices: Vec::new(),
            unit: String::new(),
            doc: String::new(),
        }
    }

    /// Accepts another type, if the given value is not of those before.
    #[must_use]
    pub fn or(mut self, other: ParameterType) -> Self {
        self.types.push(other);
        self
    }

    /// Accepts an array too, with these axes, of any dtype.
    #[must_use]
    pub fn or_array(self, axes: &[Axis]) -> Self {
        self.or(ParameterType::Array { dtypes: Vec::new(), axes: Some(axes.to_vec()) })
    }

    /// Accepts AUX data too, with entries of `extra_shape`.
    #[must_use]
    pub fn or_aux(self, dtype: Dtype, extra_shape: &[usize]) -> Self {
        self.or(ParameterType::Aux { dtype, extra_shape: extra_shape.to_vec() })
    }

    /// Sets the axes of the arrays that it accepts.
    #[must_use]
    pub fn axes(mut self, axes: &[Axis]) -> Self {
        for accepted in &mut self.types {
            if let ParameterType::Array { axes: accepted, .. } = accepted {
                *accepted = Some(axes.to_vec());
            }
        }
        self
    }

    /// Sets the dtypes of the arrays that it accepts.
    #[must_use]
    pub fn dtypes(mut self, dtypes: &[Dtype]) -> Self {
        for accepted in &mut self.types {
            if let ParameterType::Array { dtypes: accepted, .. } = accepted {
                *accepted = dtypes.to_vec();
            }
        }
        self
    }

    /// The user has to give it.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The user may leave it out.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.required = false;
        self
    }

    /// What it is when the user leaves it out. Without a default it is then absent.
    #[must_use]
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        self.default = value.into();
        self.optional()
    }

    /// Smallest accepted number.
    #[must_use]
    pub fn minimum(mut self, minimum: f64) -> Self {
        self.minimum = Some(minimum);
        self
    }

    /// Largest accepted number.
    #[must_use]
    pub fn maximum(mut self, maximum: f64) -> Self {
        self.maximum = Some(maximum);
        self
    }

    /// The accepted texts.
    #[must_use]
    pub fn choices(mut self, choices: &[&str]) -> Self {
        self.choices = choices.iter().map(|&choice| choice.to_owned()).collect();
        self
    }

    /// Physical unit, like `px` or `deg`.
    #[must_use]
    pub fn unit(mut self, unit: &str) -> Self {
        unit.clone_into(&mut self.unit);
        self
    }

    /// One line for the user.
    #[must_use]
    pub fn doc(mut self, doc: &str) -> Self {
        doc.clone_into(&mut self.doc);
        self
    }
}

macro_rules! into_value {
    ($($type:ty, $variant:ident;)*) => { $(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(value)
            }
        }
    )* };
}
into_value! {
    bool, Flag;
    i64, Integer;
    f64, Number;
    String, Text;
    Dtype, Dtype;
    Array, Array;
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl<const N: usize> From<[f64; N]> for Value {
    fn from(numbers: [f64; N]) -> Self {
        numbers.to_vec().into()
    }
}

impl From<Vec<f64>> for Value {
    fn from(numbers: Vec<f64>) -> Self {
        Self::Array(Array::list(&numbers))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
