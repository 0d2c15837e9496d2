//! From what a user gave to what a plugin gets: types, ranges and shapes are checked before anything runs.

use std::{borrow::Cow, fmt, sync::Arc};

use serde_json::Value as Json;

use super::{
    PluginError,
    manifest::{Axis, Manifest, Parameter, ParameterType, Value},
};
use crate::shape::{Array, Dtype, DtypeKind, FrameIdx, Shape, exactly, number};

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
            None => {
                let default = parameter.default.clone();
                fits_axes(parameter, &default, axes).map_err(|reason| fault(&parameter.name, reason))?;
                (default, None)
            }
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
                check_range(parameter, &value)?;
                return Ok((value, extra_shape));
            }
            Err(Some(reason)) => reasons.push(reason),
            Err(None) => {}
        }
    }
    reasons.extend(hint(parameter, argument));
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
            let whole = number.as_i64().or_else(|| whole(number.as_f64()?));
            whole.map(Value::Integer).ok_or_else(|| Some(format!("{number} is no whole number of 64 bits")))
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

/// What is wrong with what a plugin declares of a parameter.
pub(super) fn check_declaration(parameter: &Parameter) -> Result<(), String> {
    let Parameter { types, required, default, minimum, maximum, choices, .. } = parameter;
    let is_measured = |wanted: &ParameterType| match wanted {
        ParameterType::Integer | ParameterType::Number | ParameterType::Array { .. } | ParameterType::Aux { .. } => {
            true
        }
        ParameterType::Flag | ParameterType::Text | ParameterType::Dtype => false,
    };
    let is_limited = minimum.is_some() || maximum.is_some();
    if is_limited && !types.iter().any(is_measured) {
        return Err("it has limits, and is never a number".to_owned());
    }
    if minimum.is_some_and(f64::is_nan) || maximum.is_some_and(f64::is_nan) {
        return Err("NaN is no limit".to_owned());
    }
    if let (Some(minimum), Some(maximum)) = (minimum, maximum)
        && minimum > maximum
    {
        return Err(format!("its smallest value, {minimum}, is more than its largest, {maximum}"));
    }
    if !choices.is_empty() && !types.contains(&ParameterType::Text) {
        return Err("it has choices, and is never a text".to_owned());
    }
    if *default == Value::Absent {
        return Ok(());
    }
    if *required {
        return Err("it is required, and has a default".to_owned());
    }
    let is_of = |wanted: &ParameterType| match (wanted, default) {
        (ParameterType::Flag, Value::Flag(_))
        | (ParameterType::Integer, Value::Integer(_))
        | (ParameterType::Number, Value::Integer(_) | Value::Number(_))
        | (ParameterType::Text, Value::Text(_))
        | (ParameterType::Dtype, Value::Dtype(_)) => true,
        (ParameterType::Array { dtypes, .. }, Value::Array(array)) => {
            dtypes.is_empty() || dtypes.contains(&array.dtype)
        }
        _ => false,
    };
    if !types.iter().any(is_of) {
        return Err(format!("its default is {}, expected {}", describe_value(default), expected(parameter)));
    }
    check_range(parameter, default).map_err(|reason| format!("its default won't do: {reason}"))
}

/// A default that is an array, against the data at hand.
fn fits_axes(parameter: &Parameter, default: &Value, axes: Axes<'_>) -> Result<(), String> {
    let Value::Array(array) = default else { return Ok(()) };
    let fits = parameter.types.iter().map(|wanted| match wanted {
        ParameterType::Array { axes: expected, .. } => check_axes(expected.as_deref(), &array.shape, axes),
        _ => Err(format!("the default is {}", describe_value(default))),
    });
    fits.reduce(Result::or).unwrap_or(Ok(())).map_err(|reason| format!("the default won't do: {reason}"))
}

fn check_range(parameter: &Parameter, value: &Value) -> Result<(), String> {
    #[expect(clippy::cast_precision_loss, reason = "compared with a limit given as f64")]
    match value {
        Value::Integer(whole) => check_limits(parameter, whole, *whole as f64),
        Value::Number(real) => check_limits(parameter, real, *real),
        Value::Array(array) if parameter.minimum.or(parameter.maximum).is_some() => {
            let numbers = array.to_f64s();
            let numbers =
                numbers.ok_or("complex numbers have no order, and some within limits are expected".to_owned())?;
            numbers.iter().enumerate().try_for_each(|(idx, real)| {
                check_limits(parameter, real, *real)
                    .map_err(|reason| format!("element {:?}: {reason}", unravel(idx, &array.shape)))
            })
        }
        Value::Text(text) if !parameter.choices.is_empty() && !parameter.choices.contains(text) => {
            Err(format!("`{text}` is none of {}", parameter.choices.join(", ")))
        }
        _ => Ok(()),
    }
}

fn check_limits(parameter: &Parameter, given: &dyn fmt::Display, number: f64) -> Result<(), String> {
    let unit = if parameter.unit.is_empty() { String::new() } else { format!(" {}", parameter.unit) };
    if number.is_nan() && parameter.minimum.or(parameter.maximum).is_some() {
        return Err("NaN is not a number, and one within limits is expected".to_owned());
    }
    if let Some(minimum) = parameter.minimum.filter(|minimum| number < *minimum) {
        return Err(format!("{given} is too small, the smallest is {minimum}{unit}"));
    }
    if let Some(maximum) = parameter.maximum.filter(|maximum| number > *maximum) {
        return Err(format!("{given} is too large, the largest is {maximum}{unit}"));
    }
    Ok(())
}

/// The index on each axis of the element that is number `flat` in C order.
fn unravel(flat: usize, shape: &Shape) -> Vec<u64> {
    let mut rest = flat as u64;
    let mut index: Vec<u64> = shape.axes().iter().rev().map(|extent| (rest % extent, rest /= extent).0).collect();
    index.reverse();
    index
}

/// A whole number that is written as a real one, like 1e3.
#[expect(clippy::cast_possible_truncation, reason = "it is small enough")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= 2_f64.powi(53)).then_some(number as i64)
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
        // Decimal digits are rounded in any case.
        Some(numbers) if dtypes.contains(&Dtype::F32) && !dtypes.contains(&Dtype::F64) => {
            #[expect(clippy::cast_possible_truncation, reason = "rounding is what is meant")]
            let numbers: Vec<f32> = numbers.iter().map(|number| *number as f32).collect();
            Ok(Array { dtype: Dtype::F32, shape, data: bytemuck::cast_slice(&numbers).to_vec() })
        }
        Some(numbers) => Ok(Array { dtype: Dtype::F64, shape, data: bytemuck::cast_slice(&numbers).to_vec() }),
        None => Err("the lists hold something that is no number".to_owned()),
    }
}

/// The array as one of `dtypes`: as it is, or converted if all of its numbers keep their values.
fn as_one_of(array: Array, dtypes: &[Dtype]) -> Result<Array, String> {
    if dtypes.is_empty() || dtypes.contains(&array.dtype) {
        return Ok(array);
    }
    // One that is made for such numbers, before one that happens to hold these.
    let (made, others): (Vec<Dtype>, Vec<Dtype>) = dtypes.iter().partition(|dtype| array.dtype.fits_in(**dtype));
    let mut lost = None;
    for dtype in made.into_iter().chain(others) {
        match exactly(&array, dtype) {
            Ok(converted) => return Ok(converted),
            Err(idx) => lost = lost.or(Some(idx)),
        }
    }
    let idx = lost.unwrap_or(0);
    let (given, dtypes) = (array.dtype, dtypes.iter().map(|dtype| dtype.name()).collect::<Vec<_>>().join(" or "));
    let (element, place) = (number(&array, idx), unravel(idx, &array.shape));
    Err(format!("an array of {given} can't become {dtypes} without loss: element {place:?} is {element}"))
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

/// How it may have been meant.
fn hint(parameter: &Parameter, argument: &Argument) -> Option<String> {
    let takes_arrays =
        parameter.types.iter().any(|wanted| matches!(wanted, ParameterType::Array { .. } | ParameterType::Aux { .. }));
    match argument {
        Argument::Json(Json::String(word)) if takes_arrays && is_npy(word) => {
            Some(format!("a file is written `@{word}`"))
        }
        Argument::Json(Json::String(word)) if takes_arrays && word.contains(',') => {
            Some(format!("a list is written `[{word}]`"))
        }
        _ => None,
    }
}

fn is_npy(word: &str) -> bool {
    std::path::Path::new(word).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"))
}

fn describe_value(value: &Value) -> String {
    match value {
        Value::Absent => "nothing".to_owned(),
        Value::Flag(flag) => flag.to_string(),
        Value::Integer(whole) => whole.to_string(),
        Value::Number(real) => real.to_string(),
        Value::Text(text) => format!("the text {text:?}"),
        Value::Dtype(dtype) => format!("the dtype {dtype}"),
        Value::Array(array) => format!("an array of {} of shape {}", array.dtype, array.shape),
    }
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

    fn parameter(
        types: &[ParameterType],
        default: Value,
        (minimum, maximum): (Option<f64>, Option<f64>),
        choices: &[&str],
    ) -> Parameter {
        Parameter {
            name: "p".to_owned(),
            types: types.to_vec(),
            required: false,
            default,
            minimum,
            maximum,
            choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
            unit: String::new(),
            doc: String::new(),
        }
    }

    fn check(types: &[ParameterType], json: &str) -> Result<Value, String> {
        let parameter = parameter(types, Value::Absent, (Some(-1.0), None), &[]);
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
    fn lists_have_limits_and_keep_their_values() {
        let of = |dtype| [ParameterType::Array { dtypes: vec![dtype], axes: None }];
        let below = check(&of(Dtype::F64), "[[1, 2], [3, -4.5]]").unwrap_err();
        assert!(below.contains("element [1, 1]: -4.5 is too small, the smallest is -1"), "{below}");
        assert!(check(&of(Dtype::C64), "[1]").unwrap_err().contains("complex numbers have no order"));
        let Ok(Value::Array(array)) = check(&of(Dtype::F32), "[0.1, 2]") else { panic!("no array") };
        assert_eq!(array.data, bytemuck::cast_slice::<f32, u8>(&[0.1, 2.0]));
        let Ok(Value::Array(array)) = check(&of(Dtype::U8), "[200, 3]") else { panic!("no array") };
        assert_eq!(array.data, [200, 3]);
        let lost = check(&of(Dtype::U8), "[200, 300]").unwrap_err();
        assert!(lost.contains("an array of i64 can't become u8 without loss: element [1] is 300"), "{lost}");
    }

    #[test]
    fn what_may_have_been_meant_is_said() {
        let any = [ParameterType::Array { dtypes: Vec::new(), axes: None }];
        assert!(check(&any, "\"5,6\"").unwrap_err().contains("a list is written `[5,6]`"));
        assert!(check(&any, "\"m.npy\"").unwrap_err().contains("a file is written `@m.npy`"));
        assert_eq!(check(&[ParameterType::Integer], "1e3"), Ok(Value::Integer(1000)));
        assert!(check(&[ParameterType::Integer], "1.5").is_err() && check(&[ParameterType::Integer], "1e300").is_err());
    }

    #[test]
    fn declarations_that_contradict_themselves_are_refused() {
        let plain = |types: &[ParameterType]| parameter(types, Value::Absent, (None, None), &[]);
        let number = [ParameterType::Number];
        let limited = |minimum, maximum| (Some(minimum), Some(maximum));
        let list = Value::Array(Array { dtype: Dtype::U8, shape: Shape::new([2]).unwrap(), data: vec![1, 9] });
        let lists = [ParameterType::Array { dtypes: Vec::new(), axes: None }];
        for (parameter, reason) in [
            (
                parameter(&number, Value::Text("a".to_owned()), (None, None), &[]),
                "its default is the text \"a\", expected a number",
            ),
            (parameter(&number, Value::Number(5.0), limited(0.0, 2.0), &[]), "its default won't do: 5 is too large"),
            (parameter(&lists, list, limited(0.0, 2.0), &[]), "its default won't do: element [1]: 9 is too large"),
            (
                parameter(&number, Value::Absent, limited(5.0, 2.0), &[]),
                "its smallest value, 5, is more than its largest, 2",
            ),
            (parameter(&number, Value::Absent, (Some(f64::NAN), None), &[]), "NaN is no limit"),
            (parameter(&number, Value::Absent, (None, None), &["a"]), "it has choices, and is never a text"),
            (
                parameter(&[ParameterType::Flag], Value::Absent, (Some(0.0), None), &[]),
                "it has limits, and is never a number",
            ),
            (parameter(&[ParameterType::Text], Value::Text("z".to_owned()), (None, None), &["a"]), "`z` is none of a"),
            (
                Parameter { required: true, ..parameter(&number, Value::Number(1.0), (None, None), &[]) },
                "it is required, and has a default",
            ),
        ] {
            let error = check_declaration(&parameter).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        assert_eq!(check_declaration(&plain(&number)), Ok(()));
        assert_eq!(check_declaration(&parameter(&number, Value::Integer(1), limited(0.0, 2.0), &[])), Ok(()));
    }

    #[test]
    fn ragged_lists_are_refused() {
        let any = [ParameterType::Array { dtypes: Vec::new(), axes: None }];
        for json in ["[[1, 2], [3]]", "[1, [2]]", "[[1], 2]", "[[1], []]", "[\"a\"]"] {
            assert!(check(&any, json).is_err(), "{json}");
        }
    }
}
