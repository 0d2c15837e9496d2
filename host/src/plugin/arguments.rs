//! From what a user gave to what a plugin gets: types, ranges and shapes are checked before anything runs.

use std::{borrow::Cow, sync::Arc};

use serde_json::Value as Json;

use super::{
    PluginError,
    manifest::{Axis, Manifest, Parameter, ParameterType, Value},
};
use crate::shape::{Array, Dtype, DtypeKind, FrameIdx, Shape};

/// What a user gave for a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Argument {
    /// As JSON; a bare word is a text.
    Json(Json),
    /// An array, as from a `.npy` file.
    Array(Array),
}

/// The data set's shape, against which arrays are checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axes<'a> {
    pub(crate) nav: &'a Shape,
    pub(crate) sig: &'a Shape,
}

/// The parameters of a UDF, checked.
#[derive(Debug, Clone)]
pub(crate) struct Parameters {
    /// A value for every declared parameter, in the order of declaration.
    pub(crate) values: Vec<(String, Value)>,
    /// Those of them that are AUX data: they do not go to `create`, tiles bring the entries of their frames.
    pub(crate) aux: Vec<Aux>,
}

/// AUX data: an entry for each frame of the scan.
#[derive(Debug, Clone)]
pub(crate) struct Aux {
    /// The parameter.
    pub(crate) name: String,
    /// The entries, `(n_frames, ...extra)`. Shared by all workers.
    pub(crate) array: Arc<Array>,
    /// Shape of one entry.
    pub(crate) extra_shape: Shape,
}

impl Aux {
    /// The entries of some frames, as a tile brings them.
    pub(crate) fn rows(&self, frames: &[FrameIdx]) -> AuxRows<'_> {
        let shape = [&[frames.len() as u64], self.extra_shape.axes()].concat();
        AuxRows { shape, dtype: self.array.dtype, data: self.data(frames) }
    }

    fn data(&self, frames: &[FrameIdx]) -> Cow<'_, [u8]> {
        let to_usize = |n: u64| usize::try_from(n).expect("within an array in memory");
        let row_bytes = to_usize(self.extra_shape.size()) * self.array.dtype.size();
        let rows = |first: FrameIdx, n: usize| &self.array.data[to_usize(first.0) * row_bytes..][..n * row_bytes];
        match frames {
            [first, .., last] if last.0 - first.0 + 1 == frames.len() as u64 => rows(*first, frames.len()).into(),
            _ => frames.iter().flat_map(|frame| rows(*frame, 1).iter().copied()).collect::<Vec<u8>>().into(),
        }
    }
}

/// Entries of AUX data for the frames of a tile.
pub(crate) struct AuxRows<'a> {
    /// `(n_frames, ...extra)`.
    pub(crate) shape: Vec<u64>,
    pub(crate) dtype: Dtype,
    pub(crate) data: Cow<'a, [u8]>,
}

/// Checks what was given against what is declared.
pub(crate) fn resolve(
    manifest: &Manifest,
    given: &[(String, Argument)],
    axes: Axes<'_>,
) -> Result<Parameters, PluginError> {
    let fault = |parameter: &str, reason: String| PluginError::Argument {
        plugin: manifest.name.clone(),
        parameter: parameter.to_owned(),
        reason,
    };
    for (i, (name, _)) in given.iter().enumerate() {
        if !manifest.parameters.iter().any(|parameter| parameter.name == *name) {
            let known: Vec<&str> = manifest.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
            let known =
                if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
            return Err(fault(name, format!("there is no such parameter: {known}")));
        }
        if given[..i].iter().any(|(other, _)| other == name) {
            return Err(fault(name, "given twice".to_owned()));
        }
    }
    let mut resolved = Parameters { values: Vec::new(), aux: Vec::new() };
    for parameter in &manifest.parameters {
        let (value, extra_shape) = match given.iter().find(|(name, _)| *name == parameter.name) {
            Some((_, argument)) => {
                resolve_one(parameter, argument, axes).map_err(|reason| fault(&parameter.name, reason))?
            }
            None if parameter.required => {
                let expected = expected(parameter);
                return Err(fault(
                    &parameter.name,
                    format!("it is required: give {expected} with -p {}=VALUE", parameter.name),
                ));
            }
            None => (parameter.default.clone(), None),
        };
        if let (Value::Array(array), Some(extra_shape)) = (&value, extra_shape) {
            let (name, array) = (parameter.name.clone(), Arc::new(array.clone()));
            resolved.aux.push(Aux { name, array, extra_shape });
        }
        resolved.values.push((parameter.name.clone(), value));
    }
    Ok(resolved)
}

/// The value, and the shape of an entry if it was taken as AUX data.
fn resolve_one(parameter: &Parameter, argument: &Argument, axes: Axes<'_>) -> Result<(Value, Option<Shape>), String> {
    // JSON's null is the way to say "as if not given".
    if *argument == Argument::Json(Json::Null) && !parameter.required {
        return Ok((parameter.default.clone(), None));
    }
    let mut reasons = Vec::new();
    for wanted in &parameter.types {
        match fit(wanted, argument, axes) {
            Ok(value) => {
                let extra_shape = match wanted {
                    ParameterType::Aux { extra_shape, .. } => Some(extra_shape.clone()),
                    _ => None,
                };
                return Ok((check_range(parameter, value)?, extra_shape));
            }
            Err(Some(reason)) => reasons.push(reason),
            Err(None) => {}
        }
    }
    let but = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) };
    Err(format!("expected {}, got {}{but}", expected(parameter), describe(argument)))
}

/// The argument as one type; a reason if it was nearly that.
fn fit(wanted: &ParameterType, argument: &Argument, axes: Axes<'_>) -> Result<Value, Option<String>> {
    match (wanted, argument) {
        (ParameterType::Flag, Argument::Json(Json::Bool(flag))) => Ok(Value::Flag(*flag)),
        (ParameterType::Flag, Argument::Json(Json::String(word))) => match word.as_str() {
            "True" => Ok(Value::Flag(true)),
            "False" => Ok(Value::Flag(false)),
            _ => Err(None),
        },
        (ParameterType::Integer, Argument::Json(Json::Number(number))) => {
            number.as_i64().map(Value::Integer).ok_or_else(|| Some(format!("{number} is no whole number of 64 bits")))
        }
        (ParameterType::Number, Argument::Json(json)) => real(json).map(Value::Number).ok_or(None),
        (ParameterType::Text, Argument::Json(Json::String(text))) => Ok(Value::Text(text.clone())),
        // A word that happens to be JSON is a text, too.
        (ParameterType::Text, Argument::Json(word @ (Json::Number(_) | Json::Bool(_)))) => {
            Ok(Value::Text(word.to_string()))
        }
        (ParameterType::Dtype, Argument::Json(Json::String(text))) => {
            text.parse().map(Value::Dtype).map_err(|error: crate::shape::UnknownDtype| Some(error.to_string()))
        }
        (ParameterType::Array { dtypes, axes: expected }, argument) => {
            let array = match argument {
                Argument::Array(array) => array.clone(),
                Argument::Json(json @ Json::Array(_)) => nested(json, dtypes).map_err(Some)?,
                Argument::Json(_) => return Err(None),
            };
            let array = as_one_of(array, dtypes).map_err(Some)?;
            check_axes(expected.as_deref(), &array.shape, axes).map_err(Some)?;
            Ok(Value::Array(array))
        }
        (ParameterType::Aux { dtype, extra_shape }, argument) => {
            let array = match argument {
                Argument::Array(array) => array.clone(),
                Argument::Json(json @ Json::Array(_)) => nested(json, &[*dtype]).map_err(Some)?,
                Argument::Json(_) => return Err(None),
            };
            let shaped = |nav: &Shape| nav.join(extra_shape.axes()).map_err(|error| Some(error.to_string()));
            let flat = Shape::new([axes.nav.size()]).map_err(|error| Some(error.to_string()))?;
            // Like a ROI.
            let (expected, flat) = (shaped(axes.nav)?, shaped(&flat)?);
            if array.shape != expected && array.shape != flat {
                let (found, nav) = (&array.shape, axes.nav);
                let or_flat = if flat == expected { String::new() } else { format!(" or {flat}") };
                return Err(Some(format!(
                    "its shape is {found}, expected {expected}{or_flat}: an entry per frame of {nav}"
                )));
            }
            as_one_of(array, &[*dtype]).map(Value::Array).map_err(Some)
        }
        _ => Err(None),
    }
}

fn check_range(parameter: &Parameter, value: Value) -> Result<Value, String> {
    #[expect(clippy::cast_precision_loss, reason = "compared with a limit given as f64")]
    let number = match value {
        Value::Integer(number) => Some(number as f64),
        Value::Number(number) => Some(number),
        _ => None,
    };
    if let Some(number) = number {
        let unit = if parameter.unit.is_empty() { String::new() } else { format!(" {}", parameter.unit) };
        if number.is_nan() && parameter.minimum.or(parameter.maximum).is_some() {
            return Err("NaN is not a number, and one within limits is expected".to_owned());
        }
        if let Some(minimum) = parameter.minimum.filter(|minimum| number < *minimum) {
            return Err(format!("{number} is too small, the smallest is {minimum}{unit}"));
        }
        if let Some(maximum) = parameter.maximum.filter(|maximum| number > *maximum) {
            return Err(format!("{number} is too large, the largest is {maximum}{unit}"));
        }
    }
    if let Value::Text(text) = &value
        && !parameter.choices.is_empty()
        && !parameter.choices.contains(text)
    {
        return Err(format!("`{text}` is none of {}", parameter.choices.join(", ")));
    }
    Ok(value)
}

/// A number; `inf`, `-inf` and `nan` are words in JSON.
fn real(json: &Json) -> Option<f64> {
    match json {
        Json::Number(number) => number.as_f64(),
        Json::String(word) => match word.as_str() {
            "inf" | "+inf" | "Infinity" => Some(f64::INFINITY),
            "-inf" | "-Infinity" => Some(f64::NEG_INFINITY),
            "nan" | "NaN" => Some(f64::NAN),
            _ => None,
        },
        _ => None,
    }
}

/// Nested JSON lists as an array: i64 if all are whole numbers, bool if all are flags, otherwise f64.
fn nested(json: &Json, dtypes: &[Dtype]) -> Result<Array, String> {
    fn flatten<'a>(json: &'a Json, depth: usize, shape: &mut Vec<u64>, flat: &mut Vec<&'a Json>) -> Result<(), String> {
        let Json::Array(items) = json else {
            if depth == shape.len() {
                flat.push(json);
                return Ok(());
            }
            return Err("the nested lists have unequal depths".to_owned());
        };
        // The first path down fixes the shape, everything else must agree with it.
        if flat.is_empty() && depth == shape.len() {
            shape.push(items.len() as u64);
        } else if shape.get(depth) != Some(&(items.len() as u64)) {
            return Err("the nested lists have unequal lengths".to_owned());
        }
        items.iter().try_for_each(|item| flatten(item, depth + 1, shape, flat))
    }
    let (mut shape, mut flat) = (Vec::new(), Vec::new());
    flatten(json, 0, &mut shape, &mut flat)?;
    let shape = Shape::new(shape).map_err(|error| error.to_string())?;
    if flat.iter().all(|item| item.is_boolean()) && !flat.is_empty() {
        let data = flat.iter().map(|item| u8::from(item.as_bool() == Some(true))).collect();
        return Ok(Array { dtype: Dtype::Bool, shape, data });
    }
    let wants_floats = !dtypes.is_empty() && dtypes.iter().all(|dtype| dtype.kind() >= DtypeKind::Float);
    if !wants_floats && let Some(whole) = flat.iter().map(|item| item.as_i64()).collect::<Option<Vec<_>>>() {
        return Ok(Array { dtype: Dtype::I64, shape, data: bytemuck::cast_slice(&whole).to_vec() });
    }
    match flat.iter().map(|item| real(item)).collect::<Option<Vec<_>>>() {
        Some(numbers) => Ok(Array { dtype: Dtype::F64, shape, data: bytemuck::cast_slice(&numbers).to_vec() }),
        None => Err("the lists hold something that is no number".to_owned()),
    }
}

/// The array as one of `dtypes`: as it is, or widened if no digits are lost.
fn as_one_of(array: Array, dtypes: &[Dtype]) -> Result<Array, String> {
    if dtypes.is_empty() || dtypes.contains(&array.dtype) {
        return Ok(array);
    }
    // Whole numbers from JSON are i64, whatever their size: f64 is what a list of numbers means.
    let fits = |dtype: &&Dtype| array.dtype.fits_in(**dtype) || (array.dtype == Dtype::I64 && **dtype == Dtype::F64);
    match dtypes.iter().find(fits) {
        Some(dtype) => {
            let size = usize::try_from(array.shape.size()).map_err(|_| "too large".to_owned())?;
            let mut data = vec![0; size * dtype.size()];
            crate::shape::cast(array.dtype, &array.data, *dtype, &mut data);
            Ok(Array { dtype: *dtype, shape: array.shape, data })
        }
        None => Err(format!("an array of {} can't become {} without loss", array.dtype, {
            dtypes.iter().map(|dtype| dtype.name()).collect::<Vec<_>>().join(" or ")
        })),
    }
}

fn check_axes(expected: Option<&[Axis]>, shape: &Shape, axes: Axes<'_>) -> Result<(), String> {
    let Some(expected) = expected else { return Ok(()) };
    let mut pattern = Vec::new();
    for axis in expected {
        match axis {
            Axis::Any => pattern.push(None),
            Axis::Fixed(extent) => pattern.push(Some(*extent)),
            Axis::Sig => pattern.extend(axes.sig.axes().iter().copied().map(Some)),
            Axis::Nav => pattern.extend(axes.nav.axes().iter().copied().map(Some)),
        }
    }
    let fits = pattern.len() == shape.n_axes()
        && pattern.iter().zip(shape.axes()).all(|(want, have)| want.is_none_or(|want| want == *have));
    if fits {
        return Ok(());
    }
    let pattern: Vec<String> =
        pattern.iter().map(|want| want.map_or_else(|| "n".to_owned(), |want| want.to_string())).collect();
    Err(format!("its shape is {shape}, expected ({}) for this data set", pattern.join(", ")))
}

fn expected(parameter: &Parameter) -> String {
    parameter.types.iter().map(ParameterType::describe).collect::<Vec<_>>().join(" or ")
}

fn describe(argument: &Argument) -> String {
    match argument {
        Argument::Array(array) => format!("an array of {} of shape {}", array.dtype, array.shape),
        Argument::Json(Json::String(text)) => format!("the text {text:?}"),
        Argument::Json(json) => {
            let text = json.to_string();
            if text.chars().count() > 60 { format!("{}…", text.chars().take(60).collect::<String>()) } else { text }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::Capabilities;

    fn check(types: &[ParameterType], json: &str) -> Result<Value, String> {
        let parameter = Parameter {
            name: "p".to_owned(),
            types: types.to_vec(),
            required: false,
            default: Value::Absent,
            minimum: Some(-1.0),
            maximum: None,
            choices: Vec::new(),
            unit: String::new(),
            doc: String::new(),
        };
        let manifest = Manifest {
            name: "m".to_owned(),
            version: String::new(),
            summary: String::new(),
            authors: Vec::new(),
            license: String::new(),
            parameters: vec![parameter],
            processes: vec![crate::plugin::Granularity::Tile],
            capabilities: Capabilities::default(),
        };
        let (nav, sig) = (Shape::new([2, 3]).unwrap(), Shape::new([4, 5]).unwrap());
        let given = [("p".to_owned(), Argument::Json(serde_json::from_str(json).unwrap()))];
        let resolved = resolve(&manifest, &given, Axes { nav: &nav, sig: &sig });
        resolved.map(|resolved| resolved.values[0].1.clone()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_type_that_fits_is_taken() {
        let array = ParameterType::Array { dtypes: vec![Dtype::F64], axes: Some(vec![Axis::Fixed(3), Axis::Fixed(2)]) };
        let types = [ParameterType::Integer, array];
        assert_eq!(check(&types, "1"), Ok(Value::Integer(1)));
        let Ok(Value::Array(array)) = check(&types, "[[1, 2], [3, 4], [5, 6.5]]") else { panic!("no array") };
        assert_eq!((array.dtype, array.shape.axes()), (Dtype::F64, &[3, 2][..]));
        assert!(check(&types, "1.5").unwrap_err().contains("expected a whole number or an array of f64"));
        assert!(check(&types, "[1, 2]").unwrap_err().contains("its shape is (2,), expected (3, 2)"));
    }

    #[test]
    fn words_and_ranges() {
        assert_eq!(check(&[ParameterType::Number], "\"inf\""), Ok(Value::Number(f64::INFINITY)));
        assert_eq!(check(&[ParameterType::Number], "2"), Ok(Value::Number(2.0)));
        assert!(check(&[ParameterType::Number], "-2").unwrap_err().contains("-2 is too small, the smallest is -1"));
        let nan = check(&[ParameterType::Number], "\"nan\"").unwrap_err();
        assert!(nan.contains("NaN is not a number"), "{nan}");
        assert!(check(&[ParameterType::Number], "\"x\"").unwrap_err().contains("got the text \"x\""));
        assert_eq!(check(&[ParameterType::Dtype], "\"float64\""), Ok(Value::Dtype(Dtype::F64)));
        assert!(check(&[ParameterType::Dtype], "\"float\"").unwrap_err().contains("unknown dtype"));
        assert_eq!(check(&[ParameterType::Flag], "true"), Ok(Value::Flag(true)));
        assert_eq!(check(&[ParameterType::Flag], "null"), Ok(Value::Absent));
    }

    #[test]
    fn ragged_lists_are_refused() {
        let any = [ParameterType::Array { dtypes: Vec::new(), axes: None }];
        for json in ["[[1, 2], [3]]", "[1, [2]]", "[[1], 2]", "[[1], []]", "[\"a\"]"] {
            assert!(check(&any, json).is_err(), "{json}");
        }
    }
}
