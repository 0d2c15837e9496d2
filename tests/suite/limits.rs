//! Every limit, by its option and in the configuration file: what goes beyond it ends in an error that names the option.

use crate::program::{Ended, Folder};

/// An option, a value that is too small for the plugin, what the plugin is told to do, and what the error says.
const LIMITS: [(&str, &str, &[&str], &str); 21] = [
    ("max-memory", "1M", &[], " bytes of memory, at most 1048576 are allowed"),
    ("max-total-memory", "1M", &[], " bytes of memory with its other instances, at most 1048576 are allowed"),
    ("timeout", "0.2", &["attack=loop"], "`process` (partition 0, frames 0..6) ran past its 0.2 s for one call"),
    ("run-timeout", "0.2", &["attack=loop"], "ran past the 0.2 s of the whole run"),
    ("max-result-bytes", "100", &[], "its buffers need 336 bytes with buffer `intensity`, at most 100 are allowed"),
    ("max-plugin-bytes", "1K", &[], "it has more than 1024 bytes"),
    ("max-function-bytes", "100", &[], " bytes in one function, at most 100 are allowed"),
    ("max-functions", "10", &[], " functions, at most 10 are allowed"),
    ("max-nesting", "2", &[], " in each other, at most 2 are allowed"),
    ("max-code-bytes", "10K", &[], "it compiles to more than 10240 bytes of machine code"),
    ("compile-timeout", "0.001", &[], "it takes more than 0.001 s to compile"),
    ("max-compile-memory", "16M", &[], "it takes more than 16777216 bytes of memory to compile"),
    ("max-instances", "1", &[], "is made of more than 1 core instances or memories"),
    ("max-tables", "0", &[], "has more than 0 tables"),
    ("max-table-elements", "1", &[], " elements of a table, at most 1 are allowed"),
    ("max-stack", "1K", &["attack=recurse"], "its calls are nested too deeply for 1024 bytes of stack"),
    ("max-log-lines", "3", &["attack=log-flood", "at=end"], "logged more than 3 messages: the rest is dropped"),
    ("max-log-bytes", "7", &["attack=log-flood", "at=end"], "logged more than 7 bytes: the rest is dropped"),
    ("max-buffers", "2", &[], "declares 3 buffers, at most 2 are allowed"),
    ("max-parameters", "4", &[], "declares 5 parameters, at most 4 are allowed"),
    ("max-name-len", "3", &[], "is named \"hostile\", a name of 7 characters, at most 3 are allowed"),
];

/// Runs `hostile_guest`, compiled anew, with what stands before the program, and more options.
fn run(folder: &Folder, before: &str, params: &[&str], more: &str) -> Ended {
    let plugin = lthost_tests::wasm("hostile_guest");
    let params: Vec<String> = params.iter().map(|param| format!("-p {param}")).collect();
    let params = params.join(" ");
    let given = "run --quiet --no-cache --dataset scan.npy -o out --partitions 3 --workers 1";
    folder.shell(&format!("{before} $lthost {given} --plugin {} {params} {more}", plugin.display()))
}

#[test]
fn each_limit_can_be_set_and_its_error_names_the_option() {
    for (option, value, params, says) in LIMITS {
        let folder = Folder::new();
        let says = [says, &*format!("(raise --{option})")];
        let given = run(&folder, "", params, &format!("--{option} {value}"));
        let value = if value.ends_with(char::is_numeric) { value.to_owned() } else { format!("{value:?}") };
        folder.write("config.toml", format!("[limits]\n{option} = {value}\n"));
        let configured = run(&folder, "LTHOST_CONFIG=$PWD/config.toml", params, "");
        // Messages are dropped, and the run goes on.
        let is_cut = option.starts_with("max-log");
        for ended in [&given, &configured] {
            assert_eq!(ended.code, Some(i32::from(!is_cut)), "--{option}: {ended:?}");
            assert!(says.iter().all(|part| ended.stderr.contains(part)), "--{option}: {ended:?}");
        }
        if !is_cut {
            folder.assert_untouched();
        }
    }
}

#[test]
fn plugins_are_compiled_within_limits_also_where_nobody_is_told_how_processes_end() {
    let folder = Folder::new();
    let before = "env --ignore-signal=CHLD";
    run(&folder, before, &[], "").succeeds();
    std::fs::remove_dir_all(folder.path("out")).unwrap();
    for (option, says) in [
        ("--compile-timeout 0.001", "it takes more than 0.001 s to compile"),
        ("--max-compile-memory 16M", "it takes more than 16777216 bytes of memory to compile"),
        ("--max-code-bytes 10K", "it compiles to more than 10240 bytes of machine code"),
    ] {
        run(&folder, before, &[], option).fails(1, &[says]);
        folder.assert_untouched();
    }
}

#[test]
fn the_command_line_goes_before_the_file() {
    let folder = Folder::new();
    folder.write("config.toml", "[limits]\nmax-buffers = 1\n");
    run(&folder, "LTHOST_CONFIG=$PWD/config.toml", &[], "--max-buffers 3").succeeds();
}

#[test]
fn a_configuration_that_is_a_link_to_nowhere_is_no_absence() {
    let folder = Folder::new();
    let run = "env -u LTHOST_CONFIG XDG_CONFIG_HOME=$PWD/config $lthost run --dataset scan.npy --plugin sum";
    folder.shell(&format!("mkdir -p config/lthost; {run}")).succeeds();
    let linked = folder.shell(&format!("ln -s nowhere config/lthost/config.toml; {run}"));
    linked.fails(1, &["config/lthost/config.toml` can't be read"]);
}

#[test]
fn a_configuration_file_with_a_mistake_is_refused() {
    let folder = Folder::new();
    for (text, says) in [
        ("[limits]\nmax-memroy = \"1M\"", "unknown field `max-memroy`"),
        ("[limits]\nmax-memory = \"much\"", "is no whole number of bytes"),
        ("[limits]\ntimeout = 0", "is no possible time"),
        ("limits = 3", "invalid type"),
        ("[limit", "config.toml"),
    ] {
        folder.write("config.toml", text);
        run(&folder, "LTHOST_CONFIG=$PWD/config.toml", &[], "").fails(1, &["the configuration file `", says]);
    }
    run(&folder, "LTHOST_CONFIG=$PWD/none.toml", &[], "").fails(1, &["none.toml` can't be read"]);
}

#[test]
fn a_configuration_file_that_others_can_change_or_replace_is_refused() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("own")).unwrap();
    folder.write("own/config.toml", "");
    for (mode, path, is_fine) in [
        ("644", "own/config.toml", true),
        ("666", "own/config.toml", false),
        ("755", "own", true),
        ("775", "own", false),
        // In a sticky folder only who owns a file can replace it.
        ("1777", "own", true),
    ] {
        for name in ["own/config.toml", "link.toml"] {
            let set = format!(
                "chmod 600 own/config.toml; chmod 0700 own; ln -sf own/config.toml link.toml; chmod {mode} {path}"
            );
            let ended = folder.shell(&format!("{set}; LTHOST_CONFIG={name} $lthost trust list"));
            if is_fine {
                ended.succeeds();
            } else {
                let refused = format!("the configuration file `{name}` is refused: `");
                ended.fails(1, &[&refused, "` is open to others: take their rights with `chmod go-w`"]);
            }
        }
    }
}

#[test]
fn limits_that_are_wrong_are_refused() {
    let folder = Folder::new();
    for option in ["--max-stack 5M", "--max-stack 1", "--timeout 0", "--max-functions x", "--max-memory 1X"] {
        let ended = folder.shell(&format!("$lthost run --dataset scan.npy --plugin sum {option}"));
        assert_eq!(ended.code, Some(2), "{option}: {ended:?}");
    }
}
