//! What a plugin says of itself, checked: its parameters above all.

use super::convert::Granularity;
use crate::shape::{Array, Dtype, DtypeKind, Shape};

/// What a plugin is.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// Short name; letters, digits, `_` and `-`.
    pub name: String,
    /// Version of the plugin.
    pub version: String,
    /// What it computes, in one line.
    pub summary: String,
    /// Who wrote it.
    pub authors: Vec<String>,
    /// SPDX expression.
    pub license: String,
    /// What can be set.
    pub parameters: Vec<Parameter>,
    /// Which portions of a partition it can process, the smallest first.
    pub processes: Vec<Granularity>,
    /// Which optional functions it implements.
    pub capabilities: Capabilities,
}

/// The optional functions that a plugin implements.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "five independent capabilities")]
pub struct Capabilities {
    /// Sets the initial content of merged buffers.
    pub preprocess: bool,
    /// Merges partial buffers.
    pub merge: bool,
    /// Merges all partial buffers at once.
    pub merge_all: bool,
    /// Makes results from merged buffers.
    pub results: bool,
    /// Takes new parameters during a run.
    pub update: bool,
}

/// One parameter.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Unique; letters, digits and `_`.
    pub name: String,
    /// Accepted types; the first one that fits is taken.
    pub types: Vec<ParameterType>,
    /// Whether the user has to give it.
    pub required: bool,
    /// Taken when the user does not give it.
    pub default: Value,
    /// Smallest number, inclusive.
    pub minimum: Option<f64>,
    /// Largest number, inclusive.
    pub maximum: Option<f64>,
    /// Accepted texts; empty for all.
    pub choices: Vec<String>,
    /// Physical unit, or empty.
    pub unit: String,
    /// One line for the user.
    pub doc: String,
}

/// A type that a parameter accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterType {
    /// True or false.
    Flag,
    /// A whole number.
    Integer,
    /// A real number.
    Number,
    /// Text.
    Text,
    /// Name of a dtype.
    Dtype,
    /// An array.
    Array {
        /// Accepted dtypes; empty for all.
        dtypes: Vec<Dtype>,
        /// Expected axes; none for any.
        axes: Option<Vec<Axis>>,
    },
    /// One entry per frame of the scan: shape `(...nav, ...extra)`, or flat, `(n_frames, ...extra)`.
    Aux {
        /// Wanted dtype.
        dtype: Dtype,
        /// Shape of an entry.
        extra_shape: Shape,
    },
}

/// Axis of an array parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Any extent.
    Any,
    /// This extent.
    Fixed(u64),
    /// All sig axes.
    Sig,
    /// All nav axes.
    Nav,
}

/// Value of a parameter, as a plugin gets it.
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

impl ParameterType {
    /// How it reads in an error or a help text.
    pub fn describe(&self) -> String {
        match self {
            Self::Flag => "true or false".to_owned(),
            Self::Integer => "a whole number".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Text => "a text".to_owned(),
            Self::Dtype => "a dtype like float32".to_owned(),
            Self::Array { dtypes, axes } => {
                let is_any_real =
                    Dtype::all().all(|dtype| dtypes.contains(&dtype) != (dtype.kind() == DtypeKind::Complex));
                let of = if is_any_real {
                    " of real numbers".to_owned()
                } else if dtypes.is_empty() {
                    String::new()
                } else {
                    format!(" of {}", dtypes.iter().map(|dtype| dtype.name()).collect::<Vec<_>>().join("|"))
                };
                let shape = axes.as_ref().map(|axes| {
                    let axes: Vec<String> = axes
                        .iter()
                        .map(|axis| match axis {
                            Axis::Any => "n".to_owned(),
                            Axis::Fixed(extent) => extent.to_string(),
                            Axis::Sig => "...sig".to_owned(),
                            Axis::Nav => "...nav".to_owned(),
                        })
                        .collect();
                    // As shapes are written everywhere.
                    let comma = if axes.len() == 1 && !axes[0].starts_with('.') { "," } else { "" };
                    format!(" of shape ({}{comma})", axes.join(", "))
                });
                format!("an array{of}{}", shape.unwrap_or_default())
            }
            Self::Aux { dtype, extra_shape } => format!("an array of {dtype}, one entry {extra_shape} per frame"),
        }
    }
}
