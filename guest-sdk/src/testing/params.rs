//! Values of parameters, held against what the UDF declares of them, as the host does it.

use crate::{Array, Axis, Dtype, Element, Error, Parameter, ParameterType, Result, Value};

use super::Scan;

impl Scan {
    /// The value as one of the types of its parameter, within its limits.
    pub(super) fn fitted(&self, parameter: &Parameter, value: Value) -> Result<Value> {
        if value == Value::Absent {
            return Ok(value);
        }
        let name = &parameter.name;
        let fits = parameter.types.iter().find_map(|wanted| self.as_type(wanted, &value));
        let value =
            fits.ok_or_else(|| Error::new(format!("parameter `{name}`: {value} is of no type that it takes")))?;
        let numbers = match &value {
            #[expect(clippy::cast_precision_loss, reason = "compared with limits given as f64")]
            Value::Integer(whole) => vec![*whole as f64],
            Value::Number(real) => vec![*real],
            Value::Array(array) if !array.dtype().is_complex() => array.to_vec(),
            _ => Vec::new(),
        };
        // NaN is within no limits.
        let is_limited = parameter.minimum.or(parameter.maximum).is_some();
        let is_outside = |number: &&f64| {
            number.is_nan() && is_limited
                || parameter.minimum.is_some_and(|minimum| **number < minimum)
                || parameter.maximum.is_some_and(|maximum| **number > maximum)
        };
        if let Some(number) = numbers.iter().find(is_outside) {
            return Err(Error::new(format!("parameter `{name}`: {number} is outside of its limits")));
        }
        match &value {
            Value::Text(text) if !parameter.choices.is_empty() && !parameter.choices.contains(text) => {
                let choices = parameter.choices.join(", ");
                Err(Error::new(format!("parameter `{name}`: `{text}` is none of {choices}")))
            }
            _ => Ok(value),
        }
    }

    fn as_type(&self, wanted: &ParameterType, value: &Value) -> Option<Value> {
        match (wanted, value) {
            #[expect(clippy::cast_precision_loss, reason = "a whole number given for a real one")]
            (ParameterType::Number, Value::Integer(whole)) => Some(Value::Number(*whole as f64)),
            (ParameterType::Flag, Value::Flag(_))
            | (ParameterType::Integer, Value::Integer(_))
            | (ParameterType::Number, Value::Number(_))
            | (ParameterType::Text, Value::Text(_))
            | (ParameterType::Dtype, Value::Dtype(_)) => Some(value.clone()),
            (ParameterType::Array { dtypes, axes }, Value::Array(array)) => {
                let has_shape = axes.as_ref().is_none_or(|axes| self.has_axes(array, axes));
                let converted = if dtypes.is_empty() { Some(array.clone()) } else { exactly(array, dtypes) };
                converted.filter(|_| has_shape).map(Value::Array)
            }
            _ => None,
        }
    }

    fn has_axes(&self, array: &Array, axes: &[Axis]) -> bool {
        let extents = axes.iter().flat_map(|axis| match axis {
            Axis::Any => vec![None],
            Axis::Fixed(extent) => vec![Some(*extent)],
            Axis::Sig => self.sig_shape.iter().copied().map(Some).collect(),
            Axis::Nav => self.nav_shape.iter().copied().map(Some).collect(),
        });
        let extents: Vec<Option<usize>> = extents.collect();
        extents.len() == array.shape().len()
            && extents.iter().zip(array.shape()).all(|(wanted, extent)| wanted.is_none_or(|wanted| wanted == *extent))
    }
}

/// The array in the first of `dtypes` in which its numbers keep their values.
fn exactly(array: &Array, dtypes: &[Dtype]) -> Option<Array> {
    let is_kept = |converted: &Array| crate::each_dtype!(array.numbers(), |numbers| same(numbers, converted));
    let own = dtypes.iter().filter(|dtype| **dtype == array.dtype());
    own.chain(dtypes).map(|dtype| array.converted(*dtype)).find(is_kept)
}

/// Whether numbers are what they were, once they are back.
fn same<T: Element>(numbers: &[T], converted: &Array) -> bool {
    let is_nan = |number: &T| number.to_complex().re.is_nan();
    let is_same = |(number, back): (&T, T)| *number == back || is_nan(number) && is_nan(&back);
    numbers.iter().zip(converted.to_vec::<T>()).all(is_same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_would_refuse_is_refused() {
        let scan = Scan::new(&[1], &[2], &[0_u8; 2]);
        let fitted = |parameter: &Parameter, value: Value| scan.fitted(parameter, value).map_err(|error| error.message);
        let number = Parameter::number("p").minimum(0.0).maximum(9.0);
        assert_eq!(fitted(&number, Value::Integer(3)), Ok(Value::Number(3.0)));
        assert_eq!(fitted(&number, 9.5.into()).unwrap_err(), "parameter `p`: 9.5 is outside of its limits");
        assert!(fitted(&number, f64::NAN.into()).is_err());
        assert!(fitted(&number, "3".into()).unwrap_err().contains("of no type that it takes"));
        let word = Parameter::text("p").choices(&["a", "b"]);
        assert_eq!(fitted(&word, "z".into()).unwrap_err(), "parameter `p`: `z` is none of a, b");
        let mask = Parameter::array("p", &[Axis::Sig]).dtypes(&[Dtype::F32]);
        let list = |numbers: &[f64]| Value::Array(Array::list(numbers));
        assert_eq!(fitted(&mask, list(&[1.0, 0.5])), Ok(Value::Array(Array::list(&[1.0_f32, 0.5]))));
        assert!(fitted(&mask, list(&[1.0])).is_err() && fitted(&mask, list(&[1.0, 0.1])).is_err());
        assert!(fitted(&mask.clone().minimum(0.6), list(&[1.0, 0.5])).unwrap_err().contains("0.5"));
    }
}
