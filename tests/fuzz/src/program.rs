//! Instructions for the guest in `tests/hostile/driver.c`, by the names and numbers that they have there.

/// In which function an instruction is carried out.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(crate) enum Phase {
    Describe,
    Create,
    Preferences,
    Buffers,
    Preprocess,
    Begin,
    Window,
    Process,
    End,
    Merge,
    MergeAll,
    Results,
    Update,
    Realloc,
}

/// What is done. What becomes of the numbers stands in the guest.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(crate) enum Op {
    Poke,
    Fill,
    Log,
    Emit,
    EmitMask,
    Matrix,
    Append,
    Products,
    Masked,
    DropMatrix,
    Fourier,
    Forward,
    Inverse,
    DropFourier,
    Grow,
    AnswerAt,
    Allocate,
    Trap,
    Spin,
    Skip,
    NewUdf,
    DropUdf,
    Fail,
    Copy,
    FrameSums,
    Sums,
    AddTile,
    ReadSums,
    ClearSums,
    DropSums,
    Moments,
    AddMoments,
    ReadMoments,
    ClearMoments,
    DropMoments,
}

/// The first number is a place in the arena.
pub(crate) const A_IN_ARENA: u8 = 1;
/// So is the second one.
pub(crate) const B_IN_ARENA: u8 = 2;
pub(crate) const ONLY_WORKERS: u8 = 4;
pub(crate) const ONLY_MAIN: u8 = 8;
/// The third number is a handle itself, not the place of one.
pub(crate) const RAW_HANDLE: u8 = 16;

/// Bytes of an instruction.
pub(crate) const LEN: usize = 16;
/// Instructions that the guest takes as a parameter.
pub(crate) const MAX: usize = 64;
/// Instructions that `describe` takes from the file.
pub(crate) const MAX_DESCRIBED: usize = 16;

/// Where answers are among those of the guest, for [`Op::Poke`].
pub(crate) mod answer {
    pub(crate) const NAME: u32 = 0;
    pub(crate) const PARAMETERS: u32 = 40;
    pub(crate) const CAPABILITIES: u32 = 49;
    pub(crate) const INPUT: u32 = 72;
    pub(crate) const GRANULARITY: u32 = 74;
    pub(crate) const FORM: u32 = 76;
    pub(crate) const DEPTH: u32 = 80;
    pub(crate) const TOTAL_SIZE: u32 = 96;
    pub(crate) const SPLIT_ROWS: u32 = 112;
    pub(crate) const BUFFERS: u32 = 168;
    pub(crate) const BUFFER_LEN: u32 = 48;
    pub(crate) const PARAMETER: u32 = 360;
    pub(crate) const TYPE: u32 = 472;
    pub(crate) const EXTRA_SHAPE: u32 = 504;
}

/// An instruction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Instruction {
    phase: Phase,
    op: Op,
    flags: u8,
    more_times: u8,
    numbers: [u32; 3],
}

/// An instruction for once.
pub(crate) fn once(phase: Phase, op: Op, flags: u8, numbers: [u32; 3]) -> Instruction {
    Instruction { phase, op, flags, more_times: 0, numbers }
}

impl Instruction {
    /// The same, so many times more.
    pub(crate) fn again(self, more_times: u8) -> Self {
        Self { more_times, ..self }
    }
}

/// The bytes of a program.
pub(crate) fn assemble(instructions: &[Instruction]) -> Vec<u8> {
    let bytes = |it: &Instruction| {
        let [a, b, c] = it.numbers.map(u32::to_le_bytes);
        [[it.phase as u8, it.op as u8, it.flags, it.more_times], a, b, c].concat()
    };
    instructions.iter().flat_map(bytes).collect()
}

/// The guest's file with other instructions for `describe`.
pub(crate) fn with_described(file: &[u8], program: &[u8]) -> Vec<u8> {
    const MARK: &[u8] = b"describe-program\0";
    let mut file = file.to_vec();
    let at = file.windows(MARK.len()).position(|window| window == MARK).expect("the guest has a place for them");
    let n = (program.len() / LEN).min(MAX_DESCRIBED);
    file[at + MARK.len()] = u8::try_from(n).expect("few");
    file[at + 2 * LEN..][..n * LEN].copy_from_slice(&program[..n * LEN]);
    file
}
