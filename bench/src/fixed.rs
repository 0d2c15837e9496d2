//! What does not depend on the size of the data: one frame out of many, and the whole program on next to nothing.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};

use crate::{
    clock::{Contender, Taken, rounds, take},
    contenders::Ready,
    data::Data,
    goals,
    jobs::PICK,
    peer::Peer,
    sandbox::Plugins,
    say, table,
    table::Table,
    tables::Plan,
};

/// A table with columns for one frame of each of `sets`, and for `program` on `tiny`.
pub(crate) fn times(
    plan: &Plan,
    plugins: &mut Plugins,
    sets: &[&Data],
    (program, tiny): (&Path, &Data),
    peer: Option<&Peer>,
) -> anyhow::Result<Table> {
    let mut times = Table::new(&["what", "lthost ms", "compared with", "ms", "times as fast", "target", "reached"]);
    if plan.wants(PICK.name) {
        for &data in sets {
            let ready = Ready::new(data, plugins, &PICK)?;
            let middle = data.nav.iter().product::<u64>() / 2;
            let only = Some(middle..middle + 1);
            let contenders = [ready.in_sandbox(plan.n_workers, only.clone()), ready.natively(plan.n_workers, only)];
            let [lthost, native] = rounds(plan.n_short_rounds, contenders)?;
            times.push(vec![
                format!("pick: one frame of {}", data.dtype),
                table::time(&lthost),
                "native".to_owned(),
                table::time(&native),
                table::ratio(lthost.speed_against(&native)),
                table::nothing(),
                table::nothing(),
            ]);
        }
    }
    if plan.wants("process") {
        whole_process(plan, program, tiny, peer, &mut times)?;
    }
    Ok(times)
}

fn whole_process(
    plan: &Plan,
    program: &Path,
    tiny: &Data,
    peer: Option<&Peer>,
    times: &mut Table,
) -> anyhow::Result<()> {
    say("whole process");
    let folder = tempfile::tempdir()?;
    let whole_run = |name: &'static str, options: &'static [&'static str]| {
        let (folder, mut n_runs) = (folder.path(), 0);
        let run = move || {
            n_runs += 1;
            let mut command = command(program, folder);
            command.args(["--plugin", "sum", "--dataset"]).arg(tiny.path()).args(options);
            finish(command.arg("-o").arg(folder.join(format!("{name}-{n_runs}"))))
        };
        Box::new(run) as Contender<'_>
    };
    let nothing = || finish(&mut Command::new("true"));
    let contenders = [whole_run("first", &["--no-cache"]), whole_run("later", &[]), Box::new(nothing)];
    let [first, later, nothing] = rounds(plan.n_short_rounds, contenders)?;
    let frames = format!("{} frames of {}x{}", tiny.nav[0] * tiny.nav[1], tiny.sig[0], tiny.sig[1]);
    let what = |which: &str| format!("whole process, {which}: sum of {frames}");
    let goal = goals::PROCESS_SECONDS;
    let is_reached = later.median() - nothing.median() <= goal;
    for (which, lthost, target, reached) in [
        ("the first time", first, table::nothing(), table::nothing()),
        ("later", later, format!("at most {:.0} ms more", goal * 1e3), table::yes_or_no(is_reached)),
    ] {
        let other = ["`true`".to_owned(), table::time(&nothing), table::nothing()];
        times.push([vec![what(which), table::time(&lthost)], other.into(), vec![target, reached]].concat());
    }
    if let Some(peer) = peer {
        let result = folder.path().join("result.npy");
        let others = || finish(&mut peer.whole_process(tiny.path(), &result));
        let contenders = [whole_run("beside", &[]), Box::new(others)];
        let [lthost, others] = rounds(plan.n_rounds, contenders)?;
        let ratio = lthost.speed_against(&others);
        times.push(vec![
            what("later"),
            table::time(&lthost),
            "LiberTEM".to_owned(),
            table::time(&others),
            table::ratio(ratio),
            goals::PROCESS.to_string(),
            table::reached(ratio, Some(goals::PROCESS)),
        ]);
    }
    Ok(())
}

/// A run of the program with a cache of its own in `folder`, so that it is known what is in it.
pub(crate) fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("LTHOST_CACHE", folder.join("cache")).env("XDG_STATE_HOME", folder.join("state"));
    command.args(["run", "--quiet"]).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Runs a program to its end.
fn finish(command: &mut Command) -> anyhow::Result<Taken> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null());
    take(|| {
        let status = command.status().with_context(|| format!("{command:?} can't be started"))?;
        ensure!(status.success(), "{command:?} failed");
        Ok(())
    })
}
