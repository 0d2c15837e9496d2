//! What a plugin may use.

use std::time::Duration;

/// Limits for plugins. All sizes are in bytes.
///
/// An error that one of them causes names it by its option of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// A plugin file.
    pub max_plugin_bytes: u64,
    /// The body of one of its functions: what compiling takes grows with the square of it.
    pub max_function_bytes: u64,
    /// How many functions it has.
    pub max_functions: u64,
    /// How deep blocks stand in blocks, and components in components.
    pub max_nesting: u64,
    /// The machine code that is made of it.
    pub max_code_bytes: u64,
    /// How long compiling may take.
    pub compile_timeout: Duration,
    /// Address space for compiling.
    pub max_compile_bytes: u64,
    /// Linear memory of an instance; as much again for what kernels keep for it in the host.
    pub max_memory_bytes: u64,
    /// Linear memory of all instances of a run together: each of its UDFs has an equal share.
    pub max_total_memory_bytes: u64,
    /// Core instances, linear memories among them, that an instance is made of.
    pub max_instances: u64,
    /// Tables of an instance.
    pub max_tables: u64,
    /// Elements of a table.
    pub max_table_elements: u64,
    /// How long one call into a plugin may take.
    pub timeout: Duration,
    /// How long a run may take.
    pub run_timeout: Duration,
    /// Buffers of one UDF: merged ones, and those of a partition.
    pub max_result_bytes: u64,
    /// Log messages of a plugin that are passed on in a run; the rest is dropped.
    pub max_log_lines: u64,
    /// The text of these messages.
    pub max_log_bytes: u64,
    /// Buffers that a UDF declares.
    pub max_buffers: u64,
    /// Parameters that it declares.
    pub max_parameters: u64,
    /// Characters of the name of a plugin, parameter or buffer.
    pub max_name_len: u64,
    /// What becomes of a plugin that wants WASI.
    pub wasi: Wasi,
}

/// What becomes of a plugin that wants WASI, the system that many languages' runtimes expect: files, clocks, printing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Wasi {
    /// It is refused.
    #[default]
    Refused,
    /// It gets stand-ins: nothing to read, a clock and random numbers that are the same in every run, and what it prints goes
    /// to the log. What has no stand-in ends the call that asks for it.
    Stubbed,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_plugin_bytes: 64 << 20,
            max_function_bytes: 512 << 10,
            max_functions: 100_000,
            max_nesting: 1000,
            max_code_bytes: 256 << 20,
            compile_timeout: Duration::from_mins(1),
            max_compile_bytes: 8 << 30,
            max_memory_bytes: 1 << 30,
            max_total_memory_bytes: most_of_memory(),
            max_instances: 64,
            max_tables: 16,
            max_table_elements: 200_000,
            timeout: Duration::from_mins(1),
            run_timeout: Duration::from_hours(7 * 24),
            max_result_bytes: 8 << 30,
            max_log_lines: 1000,
            max_log_bytes: 1 << 20,
            max_buffers: 256,
            max_parameters: 256,
            max_name_len: 64,
            wasi: Wasi::default(),
        }
    }
}

/// Three quarters of the memory that this machine has.
fn most_of_memory() -> u64 {
    #[cfg(target_os = "linux")]
    let n_bytes = {
        let info = rustix::system::sysinfo();
        // On some machines it has 32 bits.
        #[cfg_attr(target_pointer_width = "64", expect(clippy::useless_conversion, reason = "here it has 64"))]
        let n_units = u64::from(info.totalram);
        n_units.saturating_mul(u64::from(info.mem_unit))
    };
    #[cfg(not(target_os = "linux"))]
    let n_bytes = 16 << 30;
    n_bytes / 4 * 3
}
