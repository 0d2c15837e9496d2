//! Which picture of a run is shown: `LABEL`, `LABEL.BUFFER` or `LABEL.BUFFER.N`.

use lthost::{
    plugin::printable,
    results::ResultBuffer,
    run::{Outcome, UdfOutcome},
    shape::Shape,
};

use crate::{
    Usage,
    picture::Picture,
    pictures::{Scene, Slices},
};

/// A buffer of a UDF, and an entry of its extra axes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    label: String,
    /// None: the first that can be drawn.
    buffer: Option<String>,
    /// None: the field of vectors if it is one, else the first entry.
    entry: Option<usize>,
}

/// What a choice is in the results of a run.
pub(super) struct Chosen<'a> {
    pub(super) name: String,
    slices: Slices<'a>,
    entry: Option<usize>,
}

impl Choice {
    /// Reads a choice of a run that has UDFs with these labels, in which dots may stand.
    pub(super) fn parse(text: &str, labels: &[String]) -> Result<Self, Usage> {
        let wrong = |why: &str| Usage(format!("--preview {}: {why}", printable(text, 200)));
        let after = |label: &String| {
            let rest = text.strip_prefix(label.as_str())?;
            (rest.is_empty() || rest.starts_with('.')).then_some(rest)
        };
        let known = labels.iter().filter_map(|label| Some((label, after(label)?))).max_by_key(|(label, _)| label.len());
        let Some((label, rest)) = known else {
            let labels: Vec<String> = labels.iter().map(|label| printable(label, 64)).collect();
            return Err(wrong(&format!("no UDF of this run has that label, there is {}", labels.join(", "))));
        };
        let Some(rest) = rest.strip_prefix('.') else {
            return Ok(Self { label: label.clone(), buffer: None, entry: None });
        };
        let (buffer, entry) = match rest.split_once('.') {
            Some((buffer, entry)) => {
                let entry =
                    entry.parse().map_err(|_| wrong("after the buffer comes the number of an entry, from 0"))?;
                (buffer, Some(entry))
            }
            None => (rest, None),
        };
        if buffer.is_empty() {
            return Err(wrong("expected LABEL, LABEL.BUFFER or LABEL.BUFFER.N"));
        }
        Ok(Self { label: label.clone(), buffer: Some(buffer.to_owned()), entry })
    }

    /// Finds it among the results; none if there are none of that UDF: it has failed, which is told elsewhere.
    pub(super) fn find<'a>(
        &self,
        outcome: &'a Outcome,
        (nav, sig): (&'a Shape, &'a Shape),
    ) -> Result<Option<Chosen<'a>>, Usage> {
        let udf = outcome.udfs.iter().find(|udf| udf.label == self.label);
        let udf = udf.ok_or_else(|| Usage(format!("--preview: no UDF has the label `{}`", self.label)))?;
        if udf.results.is_empty() {
            return Ok(None);
        }
        let scene = Scene { nav, sig, damage: outcome.damage_of(udf) };
        let wrong = |why: &str| Usage(format!("--preview {self}: {why}; there is {}", list(udf, scene)));
        let (result, slices) = if let Some(name) = &self.buffer {
            let result = udf.results.iter().find(|result| result.name == *name);
            let result = result.ok_or_else(|| wrong("there is no such buffer"))?;
            (result, Slices::of(result, scene).map_err(|why| wrong(&format!("no picture can show it: {why}")))?)
        } else {
            let mut drawable = udf.results.iter().filter_map(|result| Some((result, Slices::of(result, scene).ok()?)));
            drawable.next().ok_or_else(|| wrong("no picture can show any of its buffers"))?
        };
        if self.entry.is_some_and(|entry| entry >= slices.n) {
            return Err(wrong("there is no such entry"));
        }
        let entry = self.entry.or_else(|| (!slices.are_vectors()).then_some(0));
        let number = entry.filter(|_| slices.n > 1).map(|entry| format!(".{entry}")).unwrap_or_default();
        let name = format!("{}.{}{number}", udf.label, result.name);
        Ok(Some(Chosen { name, slices, entry }))
    }
}

impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.label)?;
        if let Some(buffer) = &self.buffer {
            write!(f, ".{}", printable(buffer, 64))?;
        }
        self.entry.map_or(Ok(()), |entry| write!(f, ".{entry}"))
    }
}

impl Chosen<'_> {
    pub(super) fn picture(&self) -> anyhow::Result<Picture> {
        let values = self.slices.values();
        match self.entry {
            Some(entry) => self.slices.picture(&values, entry),
            None => self.slices.vectors(&values),
        }
    }
}

/// The buffers of a UDF with their entries, and why some can't be drawn.
fn list(udf: &UdfOutcome, scene: Scene<'_>) -> String {
    let line = |result: &ResultBuffer| {
        let name = format!("{}.{}", printable(&udf.label, 64), printable(&result.name, 64));
        match Slices::of(result, scene) {
            Ok(slices) if slices.n == 1 => name,
            Ok(slices) => format!("{name} with entries 0 to {}", slices.n - 1),
            Err(why) => format!("{name} (no picture: {why})"),
        }
    };
    udf.results.iter().map(line).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(String, Option<String>, Option<usize>), String> {
        let labels = ["sum", "sum.1", "a-b"].map(str::to_owned);
        let choice = Choice::parse(text, &labels).map_err(|error| error.to_string())?;
        Ok((choice.label, choice.buffer, choice.entry))
    }

    #[test]
    fn a_label_a_buffer_an_entry() {
        assert_eq!(parse("sum"), Ok(("sum".to_owned(), None, None)));
        assert_eq!(parse("a-b.intensity"), Ok(("a-b".to_owned(), Some("intensity".to_owned()), None)));
        assert_eq!(parse("sum.intensity.12"), Ok(("sum".to_owned(), Some("intensity".to_owned()), Some(12))));
    }

    #[test]
    fn dots_of_a_label_are_its_own() {
        assert_eq!(parse("sum.1"), Ok(("sum.1".to_owned(), None, None)));
        assert_eq!(parse("sum.1.x.0"), Ok(("sum.1".to_owned(), Some("x".to_owned()), Some(0))));
        assert_eq!(parse("sum.10"), Ok(("sum".to_owned(), Some("10".to_owned()), None)));
    }

    #[test]
    fn a_wrong_choice_lists_what_there_is() {
        let error = parse("summ\x1b[2J").unwrap_err();
        assert_eq!(error, "--preview summ\\u{1b}[2J: no UDF of this run has that label, there is sum, sum.1, a-b");
        for wrong in ["", ".", "sum.", "sum..0", "sum.x.", "sum.x.-1", "sum.x.1.2", "sum.x.y"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
