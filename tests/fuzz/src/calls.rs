//! Programs for the guest in which everything is used that there is, most of it as it is meant: what inputs begin with.

use crate::program::{
    A_IN_ARENA as ARENA, B_IN_ARENA, Instruction, ONLY_MAIN, ONLY_WORKERS, Op, Phase, RAW_HANDLE, answer, once,
};

/// Dtypes by their numbers in the contract.
const U16: u32 = 2;
const F32: u32 = 9;
const F64: u32 = 10;
const C64: u32 = 11;

/// All of them.
pub(crate) fn programs() -> Vec<Vec<Instruction>> {
    let mut programs =
        vec![vec![], sums(F32), moments(U16), matrix(F32), matrix(F64), fourier(F32, 480), fourier(C64, 320)];
    programs.extend(wishes());
    programs.extend(emissions());
    programs.extend(mistakes());
    programs.extend((1..8).map(|way| allocation(way, 100)));
    programs
}

fn poke(phase: Phase, place: u32, number: u32) -> Instruction {
    once(phase, Op::Poke, 0, [place, number, 0])
}

fn prefer(place: u32, number: u32) -> Instruction {
    poke(Phase::Preferences, place, number)
}

/// Sums of tiles that stay in the host, of frames and of 20 pixels.
fn sums(dtype: u32) -> Vec<Instruction> {
    vec![
        prefer(answer::FORM, 3),
        once(Phase::Create, Op::Sums, 0, [dtype, 20, 0]).again(1),
        once(Phase::Create, Op::DropSums, 0, [0, 0, 1]),
        once(Phase::Process, Op::AddTile, 0, [0, 0, 0]).again(1),
        once(Phase::Process, Op::FrameSums, ARENA, [64, 0, dtype]),
        once(Phase::End, Op::ReadSums, 0, [3, 17, 0]),
        once(Phase::End, Op::ClearSums, 0, [0, 0, 0]),
    ]
}

/// Moments of such tiles.
fn moments(dtype: u32) -> Vec<Instruction> {
    vec![
        prefer(answer::FORM, 3),
        once(Phase::Create, Op::Moments, 0, [dtype, 20, 0]).again(1),
        once(Phase::Create, Op::DropMoments, 0, [0, 0, 1]),
        once(Phase::Process, Op::AddMoments, 0, [0, 0, 0]).again(1),
        once(Phase::End, Op::ReadMoments, 0, [3, 17, 0]),
        once(Phase::End, Op::ClearMoments, 0, [0, 0, 0]),
    ]
}

/// Products of tiles that stay in the host with a few rows of 20 numbers.
fn matrix(dtype: u32) -> Vec<Instruction> {
    vec![
        prefer(answer::FORM, 3),
        once(Phase::Create, Op::Fill, 0, [0, 160, 0x3f]),
        once(Phase::Create, Op::Matrix, 0, [dtype, 20, 0]).again(1),
        once(Phase::Create, Op::DropMatrix, 0, [0, 0, 1]),
        once(Phase::Create, Op::Append, ARENA, [0, 160, 0]).again(1),
        once(Phase::Process, Op::Products, 0, [0, 0, 0]),
        once(Phase::Process, Op::Masked, ARENA, [64, 0, 0]),
    ]
}

/// Transforms of arrays of 4 x 5 numbers.
fn fourier(dtype: u32, n_bytes: u32) -> Vec<Instruction> {
    vec![
        once(Phase::Create, Op::Fill, 0, [1000, 1, 4]),
        once(Phase::Create, Op::Fill, 0, [1008, 1, 5]),
        once(Phase::Create, Op::Fourier, ARENA, [1000, 2, dtype]).again(1),
        once(Phase::Create, Op::DropFourier, 0, [0, 0, 1]),
        once(Phase::Process, Op::Forward, ARENA, [2048, n_bytes, 0]),
        once(Phase::Process, Op::Inverse, ARENA, [2048, n_bytes, 0]),
    ]
}

/// Memory for the host in another way, from the first partition on.
fn allocation(way: u32, number: u32) -> Vec<Instruction> {
    vec![once(Phase::Begin, Op::Allocate, 0, [way, number, 0]), once(Phase::Realloc, Op::Log, ARENA, [0, 10, 0])]
}

/// How tiles and buffers are wanted.
fn wishes() -> Vec<Vec<Instruction>> {
    vec![
        vec![prefer(answer::FORM, 1), prefer(answer::INPUT, 1), prefer(answer::INPUT + 1, F32)],
        vec![prefer(answer::FORM, 2), prefer(answer::INPUT, 2), prefer(answer::INPUT + 1, F64)],
        vec![prefer(answer::FORM, 4), prefer(answer::DEPTH, 1), prefer(answer::DEPTH + 8, 2)],
        vec![prefer(answer::GRANULARITY, 1), prefer(answer::GRANULARITY + 1, 2), prefer(answer::FORM, 4)],
        vec![prefer(answer::TOTAL_SIZE, 1), prefer(answer::TOTAL_SIZE + 8, 64), prefer(answer::SPLIT_ROWS, 1)],
        vec![prefer(answer::FORM, 4), once(Phase::Window, Op::Skip, 0, [0; 3])],
        vec![once(Phase::Preferences, Op::Poke, B_IN_ARENA, [answer::FORM, 0, 0]).again(2)],
        vec![poke(Phase::Buffers, answer::EXTRA_SHAPE, 255), poke(Phase::Buffers, answer::BUFFERS + 9, 3)],
        vec![once(Phase::Buffers, Op::Poke, 0, [answer::BUFFERS + answer::BUFFER_LEN + 24, 0xfff8_0000, 3])],
    ]
}

/// Buffers in pieces, and in other functions than `end`.
fn emissions() -> Vec<Vec<Instruction>> {
    vec![
        vec![
            once(Phase::End, Op::Skip, 0, [0; 3]),
            once(Phase::End, Op::Emit, ARENA, [0, 2, 0]),
            once(Phase::End, Op::Emit, ARENA, [0, 40, 1 | 10 << 8]),
            once(Phase::End, Op::Emit, ARENA, [0, 40, 1]),
            once(Phase::End, Op::Emit, ARENA, [8, 24, 2]),
        ],
        vec![
            once(Phase::Results, Op::Emit, ARENA, [0, 80, 1]),
            once(Phase::Results, Op::EmitMask, ARENA, [0, 20, 1]),
            once(Phase::Merge, Op::Log, ARENA | ONLY_MAIN, [0, 3, 3]),
            once(Phase::Preprocess, Op::Emit, ARENA, [0, 24, 2]),
        ],
        vec![once(Phase::MergeAll, Op::Emit, ARENA, [0, 24, 2])],
    ]
}

fn mistakes() -> Vec<Vec<Instruction>> {
    vec![
        vec![once(Phase::Process, Op::Grow, ONLY_WORKERS, [10, 0, 0]).again(30)],
        vec![once(Phase::Process, Op::Fail, ARENA, [0, 9, 3])],
        vec![once(Phase::Update, Op::Trap, 0, [0; 3]), once(Phase::Merge, Op::Spin, 0, [1000, 0, 0])],
        vec![once(Phase::Create, Op::NewUdf, 0, [7, 0, 0]), once(Phase::End, Op::DropUdf, 0, [1, 0, 0])],
        vec![once(Phase::Process, Op::AnswerAt, 0, [u32::MAX, 0, 0])],
        vec![once(Phase::Process, Op::Products, RAW_HANDLE, [0, 0, 77])],
        vec![once(Phase::Process, Op::Copy, 0, [0, 64, 64]), once(Phase::Process, Op::Log, ARENA, [0, 64, 1])],
    ]
}
