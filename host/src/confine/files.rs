//! Files and network, by Landlock.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

use super::{Guard, Needs};

/// All that this version knows is asked for: Linux 6.12.
const WANTED: ABI = ABI::V6;
/// Up to this many files are allowed one by one, beyond that their folders.
const MAX_FILES: usize = 4096;
/// Facts about the machine that a run asks for.
const FACTS: [&str; 3] = ["/proc/meminfo", "/sys/class/bdi", "/sys/devices/virtual/bdi"];

/// Gives up all files but those that are needed, and the network.
pub(super) fn confine(needs: &Needs) -> (Guard, Guard) {
    let status = match restrict(needs) {
        Ok(status) => status,
        Err(error) => {
            let missing = Guard::Missing(format!("Landlock fails: {error}"));
            return (missing.clone(), missing);
        }
    };
    match status {
        LandlockStatus::NotEnabled => {
            both("Landlock is not enabled: boot the kernel with `lsm=landlock,...`".to_owned())
        }
        LandlockStatus::NotImplemented => both("this kernel has no Landlock: Linux has it from 5.13 on".to_owned()),
        LandlockStatus::Available { effective_abi, .. } if effective_abi >= WANTED => (Guard::InForce, Guard::InForce),
        LandlockStatus::Available { effective_abi, .. } if effective_abi < ABI::V2 => {
            both("Landlock 1 of this kernel forbids renaming between folders: Linux allows it from 5.19 on".to_owned())
        }
        LandlockStatus::Available { effective_abi, .. } => {
            let older = |what: &str| Guard::Missing(format!("Landlock {effective_abi} of this kernel {what}"));
            let files = match effective_abi {
                abi if abi >= ABI::V3 => Guard::InForce,
                _ => older("lets files be cut short that may not be written: Linux has that from 6.2 on"),
            };
            (files, older("does not cover network and signals: Linux has that from 6.12 on"))
        }
    }
}

fn both(why: String) -> (Guard, Guard) {
    (Guard::Missing(why.clone()), Guard::Missing(why))
}

fn restrict(needs: &Needs) -> Result<LandlockStatus, RulesetError> {
    let read_file = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = read_file
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer;
    let ruleset = Ruleset::default()
        // Without it renaming between folders would be forbidden altogether, and results could not be put into their places.
        .set_compatibility(CompatLevel::SoftRequirement)
        .handle_access(AccessFs::Refer)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(WANTED))?
        .handle_access(AccessNet::from_all(WANTED))?
        .scope(Scope::from_all(WANTED))?
        .create()?
        .add_rules(rules(&readable(&needs.read), read_file))?
        .add_rules(rules(&FACTS.map(PathBuf::from), read_file))?
        .add_rules(rules(&needs.write, write))?
        .add_rules(rules(&needs.clear, AccessFs::RemoveDir.into()))?;
    let status = ruleset.restrict_self()?;
    Ok(match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, LandlockStatus::Available { effective_abi, .. }) if effective_abi >= ABI::V2 => {
            LandlockStatus::NotEnabled
        }
        (_, status) => status,
    })
}

/// A rule for each path that is there.
fn rules(
    paths: &[PathBuf],
    access: BitFlags<AccessFs>,
) -> impl Iterator<Item = Result<PathBeneath<PathFd>, RulesetError>> {
    paths.iter().filter_map(move |path| {
        let place = PathFd::new(path).ok()?;
        // Of a file there is nothing beneath.
        let access = if path.is_dir() { access } else { access & AccessFs::from_file(WANTED) };
        Some(Ok(PathBeneath::new(place, access)))
    })
}

/// The files, or their folders if there are too many.
fn readable(files: &[PathBuf]) -> Vec<PathBuf> {
    if files.len() <= MAX_FILES {
        return files.to_vec();
    }
    let mut folders: Vec<PathBuf> = files.iter().filter_map(|file| file.parent()).map(folder).collect();
    folders.sort();
    folders.dedup();
    folders
}

fn folder(path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() }
}
