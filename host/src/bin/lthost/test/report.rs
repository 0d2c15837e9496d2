//! What was found, for people and for scripts.

use std::fmt::Write as _;

use lthost::plugin::{Manifest, printable};
use serde_json::{Value as Json, json};

use super::{
    case::{Case, Roi, of},
    check::{Fault, Group},
    compare::Difference,
    cost::Cost,
    diagnose::Finding,
    golden::Golden,
};

/// All that was found.
pub(super) struct Report {
    pub(super) manifest: Manifest,
    pub(super) groups: Vec<GroupReport>,
    pub(super) golden: Vec<(String, Golden)>,
    pub(super) cost: Option<Cost>,
    pub(super) n_runs: u64,
    pub(super) seconds: f64,
}

/// What came of the checks of a group.
pub(super) struct GroupReport {
    pub(super) group: Group,
    /// Checks that were made.
    pub(super) n_checks: usize,
    /// Checks that failed as others did before.
    pub(super) n_known: usize,
    /// Data that the plugin refuses, and what it says, once for each that is alike.
    pub(super) refusals: Vec<Refusal>,
    /// Why nothing was checked.
    pub(super) note: Option<String>,
    pub(super) findings: Vec<Shown>,
}

/// What a plugin says to data that it does not take.
pub(super) struct Refusal {
    pub(super) message: String,
    pub(super) cases: Vec<Case>,
}

/// A finding, with the command lines that show it.
pub(super) struct Shown {
    pub(super) finding: Finding,
    pub(super) commands: Vec<String>,
}

impl GroupReport {
    fn status(&self) -> &'static str {
        match () {
            () if !self.findings.is_empty() => "FAILED",
            () if self.n_checks == 0 => "-",
            () => "ok",
        }
    }
}

impl Report {
    /// Groups and golden cases that failed.
    pub(super) fn n_failed(&self) -> usize {
        let golden = self.golden.iter().filter(|(_, golden)| matches!(golden, Golden::Broken(..)));
        self.groups.iter().filter(|group| !group.findings.is_empty()).count() + golden.count()
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let Manifest { name, version, .. } = &self.manifest;
        let mut text =
            format!("{name} {version}: {} over synthetic data in {:.1} s\n", of(self.n_runs, "run"), self.seconds);
        for group in &self.groups {
            let _infallible = writeln!(text, "  {:<7} {:<11} {}", group.status(), group.group.name(), group.summary());
        }
        for (case, golden) in &self.golden {
            let (status, what) = match golden {
                Golden::Passed => ("ok", ""),
                Golden::Accepted => ("ok", ": accepted what came out"),
                Golden::Broken(..) => ("FAILED", ""),
            };
            let _infallible = writeln!(text, "  {status:<7} {:<11} {case}{what}", Group::Golden.name());
        }
        if let Some(cost) = &self.cost {
            text += &cost_text(cost);
        }
        text += &self.refusals();
        let shown: Vec<_> =
            self.groups.iter().flat_map(|group| group.findings.iter().map(|shown| (group.group, shown))).collect();
        for (group, shown) in &shown {
            text += &finding_text(*group, shown);
        }
        for (case, golden) in &self.golden {
            if let Golden::Broken(what, difference) = golden {
                let _infallible = writeln!(text, "\nFAILED golden case `{case}`: {what}");
                text +=
                    &difference.as_ref().map(|difference| difference_text(difference, "expected")).unwrap_or_default();
            }
        }
        if shown.len() > 1 {
            text += "\nMend the first one first: others may come of it.\n";
        }
        text.lines().fold(String::new(), |text, line| text + &printable(line, usize::MAX) + "\n")
    }

    /// What the plugin refuses.
    fn refusals(&self) -> String {
        let mut text = String::new();
        for Refusal { message, cases } in self.groups.iter().flat_map(|group| &group.refusals) {
            let describe = |case: &Case| {
                let roi = if case.roi == Roi::Nothing { " with an empty ROI" } else { "" };
                format!("{}{roi}", case.data)
            };
            let first = cases.first().map(describe).unwrap_or_default();
            let more = if cases.len() > 1 { format!(" and {} more", cases.len() - 1) } else { String::new() };
            let _infallible = writeln!(text, "  refuses {first}{more}: {message}");
        }
        if text.is_empty() { text } else { format!("\n{text}") }
    }

    /// For scripts.
    pub(super) fn json(&self) -> Json {
        let groups: Vec<Json> = self.groups.iter().map(group_json).collect();
        let golden: Vec<Json> = self
            .golden
            .iter()
            .map(|(case, golden)| match golden {
                Golden::Passed => json!({ "case": case, "status": "ok" }),
                Golden::Accepted => json!({ "case": case, "status": "accepted" }),
                Golden::Broken(what, difference) => {
                    json!({ "case": case, "status": "failed", "what": what, "difference": difference.as_ref().map(difference_json) })
                }
            })
            .collect();
        json!({
            "plugin": self.manifest.name,
            "version": self.manifest.version,
            "passed": self.n_failed() == 0,
            "n_runs": self.n_runs,
            "seconds": self.seconds,
            "checks": groups,
            "golden": golden,
            "cost": self.cost,
        })
    }
}

impl GroupReport {
    fn summary(&self) -> String {
        let note = match &self.note {
            Some(note) => Some(note.as_str()),
            None if self.n_checks > 0 => None,
            None if self.n_known > 0 => Some("it fails before, as above"),
            None => Some("the plugin refuses what it takes for that"),
        };
        if let Some(note) = note {
            return format!("not checked: {note}");
        }
        let n_refused: usize = self.refusals.iter().map(|refusal| refusal.cases.len()).sum();
        let refused = if n_refused > 0 { format!(", {n_refused} refused") } else { String::new() };
        let n_checks = of(self.n_checks as u64, "check");
        let known = if self.n_known > 0 { format!(", {} more failed as above", self.n_known) } else { String::new() };
        match &self.findings[..] {
            [] => format!("{} ({n_checks}{refused}{known})", self.group.claim()),
            findings => {
                let titles: Vec<&str> = findings.iter().map(|shown| shown.finding.title.as_str()).collect();
                titles.join("; ")
            }
        }
    }
}

fn finding_text(group: Group, Shown { finding, commands }: &Shown) -> String {
    let Finding { mistake, title, hint, check, fault } = finding;
    let mut text = format!("\nFAILED {} ({mistake}): {title}\n", group.name());
    let mut line = |what: &str, more: &str| {
        if !more.is_empty() {
            let _infallible = writeln!(text, "  {what}{more}");
        }
    };
    match fault {
        Fault::Fails(case, failure) => {
            let smallest = if fault.is_endless() { "" } else { "the smallest case, " };
            line(&format!("in {smallest}"), &case.to_string());
            line("", &failure.message);
        }
        Fault::NotFinite(_) => line("in the smallest case, ", &check.base.to_string()),
        Fault::Differs(_) => {
            line("in the smallest case, ", &check.other().to_string());
            line("and not in          ", &check.base.to_string());
        }
    }
    text += &match fault {
        Fault::Fails(..) => String::new(),
        Fault::NotFinite(difference) | Fault::Differs(difference) => difference_text(difference, "expected"),
    };
    if !hint.is_empty() {
        let _infallible = writeln!(text, "  {hint}");
    }
    for command in commands {
        let _infallible = writeln!(text, "    {command}");
    }
    text
}

fn difference_text(difference: &Difference, word: &str) -> String {
    let Difference { expected, found, n_different, n_elements, index, .. } = difference;
    let some = if index.is_some() && *n_elements > 1 {
        format!(" ({n_different} of {n_elements} elements)")
    } else {
        String::new()
    };
    format!("  {} is {found}, {word} {expected}{some}\n", difference.place())
}

fn cost_text(cost: &Cost) -> String {
    let sig: Vec<String> = cost.sig_shape.iter().map(u64::to_string).collect();
    let mut text = format!(
        "  cost: {:.1} µs a frame, {:.2} GB/s, {:.0} % of the {:.1} GB/s that the memory gives ({} of {} {}, {})\n",
        1e6 * cost.s_per_frame,
        cost.file_gb_per_s,
        100.0 * cost.share(),
        cost.memory_gb_per_s,
        of(cost.n_frames, "frame"),
        sig.join(" x "),
        cost.dtype,
        of(cost.n_threads as u64, "thread"),
    );
    if let Some(advice) = &cost.advice {
        let _infallible = writeln!(text, "        {advice}");
    }
    text
}

fn group_json(report: &GroupReport) -> Json {
    let refused: Vec<Json> = report
        .refusals
        .iter()
        .map(|refusal| json!({ "message": refusal.message, "cases": refusal.cases.iter().map(ToString::to_string).collect::<Vec<_>>() }))
        .collect();
    let findings: Vec<Json> = report.findings.iter().map(finding_json).collect();
    let status = match report.status() {
        "FAILED" => "failed",
        "-" => "not checked",
        other => other,
    };
    json!({
        "check": report.group.name(),
        "status": status,
        "n_checks": report.n_checks,
        "n_failed_before": report.n_known,
        "note": report.note,
        "refused": refused,
        "findings": findings,
    })
}

fn finding_json(Shown { finding, commands }: &Shown) -> Json {
    let Finding { mistake, title, hint, check, fault } = finding;
    let (difference, message, base) = match fault {
        Fault::Fails(_, failure) => (None, Some(&failure.message), None),
        Fault::NotFinite(difference) => (Some(difference), None, None),
        Fault::Differs(difference) => (Some(difference), None, Some(case_json(&check.base))),
    };
    json!({
        "mistake": mistake,
        "title": title,
        "hint": hint,
        "message": message,
        "case": case_json(&check.other()),
        "base": base,
        "difference": difference.map(difference_json),
        "commands": commands,
    })
}

fn case_json(case: &Case) -> Json {
    json!({
        "text": case.to_string(),
        "nav_shape": case.data.nav,
        "sig_shape": case.data.sig,
        "dtype": case.data.stored.name(),
        "missing": case.data.missing,
        "roi": case.roi_array().map(|roi| roi.data),
        "partitions": case.partitions,
        "partition": case.only,
        "workers": case.workers,
    })
}

fn difference_json(difference: &Difference) -> Json {
    json!({
        "buffer": difference.buffer,
        "index": difference.index,
        "expected": difference.expected,
        "found": difference.found,
        "n_different": difference.n_different,
        "n_elements": difference.n_elements,
    })
}
