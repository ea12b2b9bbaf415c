//! The compression functions, one kernel for each set of instructions and number of lanes.
//!
//! A kernel takes the chaining values of L lanes and L runs of whole blocks, and compresses each
//! run into its lane, as many blocks as the shortest run has. It knows no messages, padding or
//! lengths. Kernels for x86 live here, and one for key agreements in `mse`; no other place of the
//! project has `unsafe` code.

mod rounds;
mod scalar;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod shani;

use std::fmt;

use crate::algorithm::Block;

/// Chaining values of L lanes, word by word: `lanes[word][lane]`.
pub(crate) type Lanes<const L: usize> = [[u32; L]; 8];

/// Compresses `inputs[lane]` into each lane, as many blocks as the shortest input has.
pub(crate) type CompressFn<const L: usize> = fn(&mut Lanes<L>, inputs: &[&[Block]; L]);

/// A compression function with its number of lanes.
#[derive(Clone, Copy, Debug)]
pub enum Compress {
    X1(CompressFn<1>),
    X2(CompressFn<2>),
    X4(CompressFn<4>),
    X8(CompressFn<8>),
    X16(CompressFn<16>),
    X32(CompressFn<32>),
}

/// The functions of one kernel.
#[derive(Clone, Copy, Debug)]
pub struct Kernels {
    pub(crate) sha1: Compress,
    pub(crate) sha256: Compress,
}

/// A way to compress blocks: instructions and number of lanes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kernel {
    /// Plain Rust, one lane. Runs everywhere.
    Scalar,
    /// The SHA instructions of x86, one stream.
    ShaNi,
    /// The SHA instructions of x86, two streams side by side.
    ShaNiX2,
    /// The SHA instructions of x86, four streams side by side.
    ShaNiX4,
    /// 256-bit vectors, eight lanes.
    Avx2,
    /// 512-bit vectors, sixteen lanes.
    Avx512,
    /// 512-bit vectors in pairs, thirty-two lanes.
    Avx512X2,
}

impl Kernel {
    /// All kernels, the ones with few lanes first.
    pub const ALL: [Self; 7] = [
        Self::Scalar,
        Self::ShaNi,
        Self::ShaNiX2,
        Self::ShaNiX4,
        Self::Avx2,
        Self::Avx512,
        Self::Avx512X2,
    ];

    /// The name, as printed by benchmarks and `--version`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::ShaNi => "SHA-NI",
            Self::ShaNiX2 => "SHA-NI x2",
            Self::ShaNiX4 => "SHA-NI x4",
            Self::Avx2 => "AVX2 x8",
            Self::Avx512 => "AVX-512 x16",
            Self::Avx512X2 => "AVX-512 x32",
        }
    }

    /// How many messages it works on at once.
    pub const fn lanes(self) -> usize {
        match self {
            Self::Scalar | Self::ShaNi => 1,
            Self::ShaNiX2 => 2,
            Self::ShaNiX4 => 4,
            Self::Avx2 => 8,
            Self::Avx512 => 16,
            Self::Avx512X2 => 32,
        }
    }

    /// Whether this CPU has the instructions.
    pub fn is_supported(self) -> bool {
        self.kernels().is_some()
    }

    /// The compression functions, if this CPU has the instructions.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn kernels(self) -> Option<Kernels> {
        match self {
            Self::Scalar => Some(scalar::KERNELS),
            Self::ShaNi => shani::kernels(),
            Self::ShaNiX2 => shani::kernels_x2(),
            Self::ShaNiX4 => shani::kernels_x4(),
            Self::Avx2 => avx2::kernels(),
            Self::Avx512 => avx512::kernels(),
            Self::Avx512X2 => avx512::kernels_x2(),
        }
    }

    /// The compression functions, if this CPU has the instructions.
    #[cfg(not(target_arch = "x86_64"))]
    pub(crate) fn kernels(self) -> Option<Kernels> {
        (self == Self::Scalar).then_some(scalar::KERNELS)
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
