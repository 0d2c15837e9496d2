//! A plugin at work: an instance in a store of its own, used by one thread, dropped after an error.

use std::{
    ops::Range,
    sync::{Arc, atomic::AtomicUsize},
    time::Instant,
};

use wasmtime::{
    Store, WasmBacktrace,
    component::{ComponentNamedList, Func, Instance as WasmInstance, Lift, Lower, ResourceAny},
};

use super::{
    AuxRows, Cancel, HostTile, Limits, Parameters, Plugin, PluginError, Wasi,
    bindings::{self, exports::lthost::udf::udf::Guest, types as wit},
    convert::{self, Preferences},
    error::{Call, Place, TimeLimit, printable, printable_lines},
    lower::{self, Values},
    manifest::Manifest,
    samples::{Sampler, Sampling},
    state::{self, Logger, Logs, MAX_LOG_CHARS, MemoryShare, Refusal, State},
    wasi,
};
use crate::{
    buffer::{Declaration, Emission, EmittedPieces, Partial, PartitionRange, Piece, Spare, Usage},
    correction::Corrections,
    shape::{Dtype, FrameIdx, Roi, Shape},
    tile::{CsrRows, SigBlock, Tiling},
};

/// What every instance of a UDF is made with; most of it is the same for all UDFs of a run. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sandbox {
    pub(crate) limits: Limits,
    pub(crate) cancel: Cancel,
    pub(crate) logger: Logger,
    /// Only if somebody wants to know where the time goes.
    pub(crate) sampler: Option<Sampler>,
    /// Where buffers come from and go to.
    pub(crate) spare: Spare,
    /// The UDF's own.
    pub(crate) share: MemoryShare,
    pub(crate) logs: Logs,
    /// When the run began.
    pub(crate) start: Instant,
}

impl Sandbox {
    /// Without samples, for a single UDF.
    pub(crate) fn new(limits: Limits, cancel: Cancel, logger: Logger) -> Self {
        let (spare, share) = (Spare::default(), MemoryShare::among(1));
        let (logs, start) = (Logs::default(), Instant::now());
        Self { limits, cancel, logger, sampler: None, spare, share, logs, start }
    }
}

/// The data set, as `create` tells it to a plugin.
pub(crate) struct Meta<'a> {
    pub(crate) nav: &'a Shape,
    pub(crate) sig: &'a Shape,
    pub(crate) roi: &'a Roi,
    pub(crate) dtype: Dtype,
    pub(crate) corrections: &'a Corrections,
    pub(crate) metadata: &'a [(String, String)],
}

/// A tile to be processed: where it lies, and who fills it in.
pub(crate) struct TileInput<'a> {
    pub(crate) roi_start: u64,
    /// The frames, ascending.
    pub(crate) frames: &'a [FrameIdx],
    pub(crate) block: &'a SigBlock,
    pub(crate) sig_index: u64,
    pub(crate) dtype: Dtype,
    pub(crate) handover: Handover,
    /// The entries of these frames, for each AUX parameter that was given.
    pub(crate) aux: &'a [AuxRows<'a>],
    pub(crate) pixels: Pixels<'a>,
    /// The same pixels for kernels, if the plugin imports these.
    pub(crate) for_kernels: Option<Arc<dyn HostTile>>,
}

/// The pixels of a tile.
#[derive(Clone, Copy)]
pub(crate) enum Pixels<'a> {
    /// Typed numbers: `(n_frames, ...block)`.
    Dense(&'a Fill<'a>),
    /// The same as bytes.
    Bytes(&'a Fill<'a>),
    /// A row for each frame.
    Csr(&'a CsrRows),
    /// Typed numbers in the instance's window.
    Window(&'a Fill<'a>),
    /// None: the plugin asks the host's kernels.
    InHost,
}

impl TileInput<'_> {
    /// Bytes that are written by [`TileInput::fill`].
    fn n_bytes(&self, n_frames: u64) -> Result<usize, PluginError> {
        let n_bytes = match self.pixels {
            Pixels::Dense(_) | Pixels::Bytes(_) | Pixels::Window(_) => {
                n_frames * self.block.size * self.dtype.size() as u64
            }
            Pixels::Csr(_) | Pixels::InHost => 0,
        };
        usize::try_from(n_bytes).map_err(|_| PluginError::Runtime { message: "a tile is too large".to_owned() })
    }

    /// Writes dense pixels, into their list or into the window.
    fn fill(&self, out: &mut [u8]) -> Result<(), FillFailed> {
        match self.pixels {
            Pixels::Dense(fill) | Pixels::Bytes(fill) | Pixels::Window(fill) => fill(out),
            Pixels::Csr(_) | Pixels::InHost => Ok(()),
        }
    }
}

/// Writes pixels, little-endian.
type Fill<'a> = dyn Fn(&mut [u8]) -> Result<(), FillFailed> + Send + Sync + 'a;

/// Where a tile begins in a window: no number of it lies across two lines of a cache.
const ALIGNMENT: usize = 64;

/// How a tile gets into a plugin's memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Handover {
    /// It is decoded there.
    #[default]
    InPlace,
    /// It is decoded elsewhere and copied, with wasmtime's public means alone. The plain way, to hold the other against.
    Copied,
}

/// Whoever filled a tile failed, and knows why.
#[derive(Debug, thiserror::Error)]
#[error("the data could not be read")]
pub(crate) struct FillFailed;

/// What `results` made, for each declared buffer: its elements if they were emitted, and its mask.
pub(crate) type Emitted = Vec<(Option<Vec<u8>>, Option<Vec<u8>>)>;

/// A plugin instance, with a UDF created in it or not yet.
pub(crate) struct Instance {
    store: Store<State>,
    bindings: bindings::Plugin,
    exports: WasmInstance,
    udf: Option<Udf>,
    /// Where it was given memory for tiles.
    window: Range<usize>,
    spare: Spare,
}

/// The UDF in an instance, with the functions whose arguments are lowered in place.
struct Udf {
    resource: ResourceAny,
    update: Func,
    window: Func,
    process: Func,
    merge: Func,
    merge_all: Func,
    results: Func,
}

impl Instance {
    /// Instantiates a plugin: runs its start functions, nothing else.
    pub(crate) fn new(plugin: &Plugin, sandbox: &Sandbox) -> Result<Self, PluginError> {
        let engine = plugin.engine.wasmtime();
        plugin.engine.start_clock();
        let name = plugin.facts().origin.clone();
        let mut state = State::new((name, &plugin.facts().sha256), sandbox);
        state.sampling = sandbox.sampler.as_ref().map(|sampler| Sampling::new(sampler, plugin.engine.ticks()));
        state.deterministic = plugin.engine.is_deterministic();
        state.max_stack_bytes = plugin.engine.max_stack_bytes();
        state.start_call(Place::default());
        let mut store = Store::new(engine, state);
        store.limiter(|state| state);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(state::check_deadline);
        // Without a data set nothing large can come back.
        store.set_hostcall_fuel(16 << 20);
        let instantiate = |store: &mut Store<State>| {
            let mut linker = state::linker(engine)?;
            if sandbox.limits.wasi == Wasi::Stubbed {
                wasi::link(&mut linker, &plugin.component)?;
            }
            let instance = linker.instantiate(&mut *store, &plugin.component)?;
            Ok((bindings::Plugin::new(&mut *store, &instance)?, instance))
        };
        let instantiated: wasmtime::Result<_> = instantiate(&mut store);
        wasi::end_call(store.data_mut());
        let (bindings, exports) = instantiated.map_err(|error| explain(&mut store, "instantiate", &error))?;
        Ok(Self { store, bindings, exports, udf: None, window: 0..0, spare: sandbox.spare.clone() })
    }

    /// What the plugin says of itself.
    pub(crate) fn describe(&mut self) -> Result<Manifest, PluginError> {
        let manifest = self.call("describe", Place::default(), |guest, store| Ok(Ok(guest.call_describe(store)?)))?;
        let manifest =
            convert::manifest(manifest, &self.store.data().limits).map_err(|what| self.broke("describe", &what))?;
        self.store.data_mut().plugin.clone_from(&manifest.name);
        Ok(manifest)
    }

    /// How messages call it from here on, instead of by the name that it gave itself.
    pub(crate) fn call_it(&mut self, label: &str) {
        label.clone_into(&mut self.store.data_mut().plugin);
    }

    /// Creates the UDF, for a worker or for the main thread.
    pub(crate) fn create(&mut self, parameters: &Parameters, meta: &Meta<'_>, role: Role) -> Result<(), PluginError> {
        let arguments = arguments(parameters);
        let meta = wit::Meta {
            role: match role {
                Role::Worker => wit::Role::Worker,
                Role::Main => wit::Role::Main,
            },
            nav_shape: meta.nav.axes().to_vec(),
            sig_shape: meta.sig.axes().to_vec(),
            n_frames: meta.nav.size(),
            n_roi_frames: meta.roi.n_selected(),
            roi: meta.roi.to_mask(),
            dataset_dtype: convert::to_dtype(meta.dtype),
            corrections: convert::to_corrections(meta.corrections),
            metadata: meta.metadata.to_vec(),
        };
        let create = self.export("[static]udf.create")?;
        self.store.data_mut().start_call(Place::default());
        let created = create
            .typed::<(&[lower::Argument<'_>], &wit::Meta), (Result<ResourceAny, wit::Error>,)>(&self.store)
            .and_then(|create| create.call(&mut self.store, (&arguments, &meta)));
        let resource = self.settle("create", created.map(|(outcome,)| outcome))?;
        let mut method = |name: &str| self.export(&format!("[method]udf.{name}"));
        self.udf = Some(Udf {
            resource,
            update: method("update")?,
            window: method("window")?,
            process: method("process")?,
            merge: method("merge")?,
            merge_all: method("merge-all")?,
            results: method("results")?,
        });
        self.check_methods()
    }

    /// A function of the interface that the plugin exports.
    fn export(&mut self, name: &str) -> Result<Func, PluginError> {
        let interface = self.exports.get_export_index(&mut self.store, None, bindings::EXPORT);
        let export = self.exports.get_export_index(&mut self.store, interface.as_ref(), name);
        let func = export.and_then(|export| self.exports.get_func(&mut self.store, export));
        func.ok_or_else(|| PluginError::Runtime { message: format!("`{name}` vanished from the plugin") })
    }

    /// Takes new values of parameters.
    pub(crate) fn update(&mut self, parameters: &Parameters) -> Result<(), PluginError> {
        let (func, arguments) = (self.udf().update, arguments(parameters));
        self.call_lowered("update", Place::default(), func, |udf| (udf, &arguments[..]))
    }

    /// How the UDF wants to be fed.
    pub(crate) fn preferences(&mut self) -> Result<Preferences, PluginError> {
        let udf = self.resource();
        let preferences =
            self.call("preferences", Place::default(), |guest, store| guest.udf().call_preferences(store, udf))?;
        Ok(convert::preferences(preferences))
    }

    /// The declared buffers, as the plugin states them.
    pub(crate) fn buffers(&mut self, input: Dtype) -> Result<Vec<Declaration>, PluginError> {
        let udf = self.resource();
        let buffers = self.call("buffers", Place::default(), |guest, store| {
            guest.udf().call_buffers(store, udf, convert::to_dtype(input))
        })?;
        let max_name_len = self.store.data().limits.max_name_len;
        let declaration = |buffer| convert::declaration(buffer, max_name_len);
        let declarations: Result<Vec<_>, String> = buffers.into_iter().map(declaration).collect();
        declarations.map_err(|what| self.broke("buffers", &what))
    }

    /// Allows as many bytes to come back in a call as the declared buffers have, and a frame of the largest numbers for a kernel.
    pub(crate) fn expect_bytes(&mut self, n_bytes: u64, sig: &Shape) {
        let n_bytes = n_bytes.saturating_mul(2).saturating_add(sig.size().saturating_mul(16)).saturating_add(16 << 20);
        self.store.set_hostcall_fuel(usize::try_from(n_bytes).unwrap_or(usize::MAX));
    }

    /// Initial content of merged buffers.
    pub(crate) fn preprocess(
        &mut self,
        declarations: &[Declaration],
        (n_rows, sig): (u64, &Shape),
    ) -> Result<Emitted, PluginError> {
        let udf = self.resource();
        self.store.data_mut().emission = Emission::of_preprocess(declarations, n_rows, sig);
        self.call("preprocess", Place::default(), |guest, store| guest.udf().call_preprocess(store, udf))?;
        self.finish_emission("preprocess", &Place::default()).map(joined)
    }

    /// Starts a partition, whose tiles will be those of `tiling`.
    pub(crate) fn begin(&mut self, partition: &PartitionRange, tiling: &Tiling) -> Result<(), PluginError> {
        let (udf, tiling) = (self.resource(), convert::to_tiling(tiling));
        self.call("begin", partition_place(partition), |guest, store| {
            guest.udf().call_begin(store, udf, convert::to_partition(partition), &tiling)
        })
    }

    /// Gives the plugin a window for tiles of at most `tile_bytes`.
    pub(crate) fn make_window(&mut self, tile_bytes: usize) -> Result<(), PluginError> {
        let n_bytes = tile_bytes.saturating_add(ALIGNMENT);
        let (func, start) = (self.udf().window, AtomicUsize::new(0));
        let memory = lower::List::<u8>::new(lower::Fill::Later(n_bytes, &start));
        self.call_lowered("window", Place::default(), func, |udf| (udf, memory))?;
        let start = start.into_inner();
        self.window = start..start + n_bytes;
        Ok(())
    }

    pub(crate) fn has_window(&self) -> bool {
        !self.window.is_empty()
    }

    /// Processes a tile of the current partition.
    pub(crate) fn process(&mut self, partition: &PartitionRange, tile: &TileInput<'_>) -> Result<(), PluginError> {
        let (first, last) = (tile.frames[0], tile.frames[tile.frames.len() - 1]);
        let place = Place { partition: Some(partition.index), frames: Some(first..FrameIdx(last.0 + 1)) };
        self.store.data_mut().tile.clone_from(&tile.for_kernels);
        let frames: Vec<u64> = tile.frames.iter().map(|frame| frame.0).collect();
        let processed = match tile.handover {
            Handover::Copied => self.process_copied(place, tile, frames),
            Handover::InPlace => self.process_in_place(place, tile, &frames),
        };
        self.store.data_mut().tile = None;
        processed
    }

    fn process_copied(&mut self, place: Place, tile: &TileInput<'_>, frames: Vec<u64>) -> Result<(), PluginError> {
        let n_frames = frames.len() as u64;
        let mut data = vec![0; tile.n_bytes(n_frames)?];
        tile.fill(&mut data).map_err(|error| PluginError::Runtime { message: error.to_string() })?;
        let frames = if is_run(&frames) { wit::Frames::Consecutive(frames[0]) } else { wit::Frames::Listed(frames) };
        let (udf, tile) = (self.resource(), convert::to_tile(tile, n_frames, frames, data));
        self.call("process", place, |guest, store| guest.udf().call_process(store, udf, &tile))
    }

    fn process_in_place(&mut self, place: Place, tile: &TileInput<'_>, frames: &[u64]) -> Result<(), PluginError> {
        let n_frames = frames.len() as u64;
        let aux: Vec<lower::Array<'_>> = tile
            .aux
            .iter()
            .map(|rows| lower::Array {
                shape: &rows.shape,
                data: Values::new(rows.dtype, lower::Fill::Slice(&rows.data)),
            })
            .collect();
        let since = self.store.data().sampling.as_ref().map(|sampling| sampling.since().clone());
        let filler = |out: &mut [u8]| {
            tile.fill(out).map_err(wasmtime::Error::new)?;
            if let Some(since) = &since {
                since.now();
            }
            Ok(())
        };
        let n_bytes = tile.n_bytes(n_frames)?;
        let fill = lower::Fill::With(n_bytes, &filler);
        let tile = lower::Tile {
            roi_start: tile.roi_start,
            n_frames,
            frames: if is_run(frames) { lower::Frames::Consecutive(frames[0]) } else { lower::Frames::Listed(frames) },
            sig_start: tile.block.start,
            sig_origin: &tile.block.origin,
            sig_shape: &tile.block.shape,
            sig_index: tile.sig_index,
            aux: &aux,
            data: match tile.pixels {
                Pixels::Dense(_) => lower::TileData::Dense(Values::new(tile.dtype, fill)),
                Pixels::Bytes(_) => lower::TileData::Bytes(lower::List::new(fill)),
                Pixels::Window(_) => {
                    let start = self.window.start.next_multiple_of(ALIGNMENT);
                    lower::TileData::Window(lower::InWindow {
                        memory: start..start + n_bytes,
                        position: u32::try_from(start - self.window.start).expect("less than the alignment"),
                        fill: &filler,
                    })
                }
                Pixels::InHost => lower::TileData::InHost,
                Pixels::Csr(rows) => lower::TileData::Csr(lower::CsrData {
                    indptr: rows.indptr(),
                    indices: rows.indices(),
                    values: Values::new(rows.dtype(), lower::Fill::Slice(rows.values())),
                }),
            },
        };
        let func = self.udf().process;
        self.call_lowered("process", place, func, |udf| (udf, tile))
    }

    /// Ends the partition and gives what it emitted.
    pub(crate) fn end(
        &mut self,
        partition: &PartitionRange,
        declarations: &[Declaration],
        sig: &Shape,
    ) -> Result<Partial, PluginError> {
        let udf = self.resource();
        let place = partition_place(partition);
        self.store.data_mut().emission =
            Emission::of_partial(declarations, partition.n_rows(), sig).with_spare(&self.spare);
        self.call("end", place.clone(), |guest, store| guest.udf().call_end(store, udf))?;
        let buffers = self.finish_emission("end", &place)?.into_iter().map(|(pieces, _)| pieces).collect();
        Ok(Partial { partition: partition.clone(), buffers })
    }

    /// Merges partial buffers into the destination's slices; gives the new content of those that merge by `custom`. `valid`
    /// has a byte for each frame of the ROI, 1 where it is in the destination already.
    pub(crate) fn merge(
        &mut self,
        declarations: &[Declaration],
        (dest, valid): (&[&[u8]], &[u8]),
        partial: &Partial,
        sig: &Shape,
    ) -> Result<Emitted, PluginError> {
        let partition = &partial.partition;
        let n_rows = partition.n_rows();
        let wholes: Vec<_> = (0..declarations.len()).map(|i| partial.whole(i)).collect();
        let src: Vec<&[u8]> = wholes.iter().map(AsRef::as_ref).collect();
        let (dest_shapes, src_shapes) = (shapes(declarations, n_rows, sig), shapes(declarations, n_rows, sig));
        let dest = arrays(declarations, &dest_shapes, dest);
        let src = arrays(declarations, &src_shapes, &src);
        let place = partition_place(partition);
        self.store.data_mut().emission = Emission::of_merge(declarations, n_rows, sig).with_spare(&self.spare);
        let func = self.udf().merge;
        let range = convert::to_partition(partition);
        self.call_lowered("merge", place.clone(), func, |udf| (udf, range, &dest[..], &src[..], valid))?;
        self.finish_emission("merge", &place).map(joined)
    }

    /// Merges all partial buffers at once.
    pub(crate) fn merge_all(
        &mut self,
        declarations: &[Declaration],
        partials: &[Partial],
        (n_rows, sig): (u64, &Shape),
    ) -> Result<Emitted, PluginError> {
        let wholes: Vec<Vec<_>> =
            partials.iter().map(|partial| (0..declarations.len()).map(|i| partial.whole(i)).collect()).collect();
        let all_shapes: Vec<_> =
            partials.iter().map(|partial| shapes(declarations, partial.partition.n_rows(), sig)).collect();
        let lowered: Vec<lower::Partial<'_>> = partials
            .iter()
            .zip(&wholes)
            .zip(&all_shapes)
            .map(|((partial, wholes), shapes)| {
                let data: Vec<&[u8]> = wholes.iter().map(AsRef::as_ref).collect();
                lower::Partial {
                    partition: convert::to_partition(&partial.partition),
                    buffers: arrays(declarations, shapes, &data),
                }
            })
            .collect();
        self.store.data_mut().emission = Emission::of_merge(declarations, n_rows, sig).with_spare(&self.spare);
        let func = self.udf().merge_all;
        self.call_lowered("merge-all", Place::default(), func, |udf| (udf, &lowered[..]))?;
        self.finish_emission("merge-all", &Place::default()).map(joined)
    }

    /// Makes results from merged buffers.
    pub(crate) fn results(
        &mut self,
        declarations: &[Declaration],
        (merged, valid): (&[&[u8]], &[u8]),
        (n_rows, sig): (u64, &Shape),
    ) -> Result<Emitted, PluginError> {
        let shapes = shapes(declarations, n_rows, sig);
        let merged = arrays(declarations, &shapes, merged);
        self.store.data_mut().emission = Emission::of_results(declarations, n_rows, sig);
        let func = self.udf().results;
        self.call_lowered("results", Place::default(), func, |udf| (udf, &merged[..], valid))?;
        self.finish_emission("results", &Place::default()).map(joined)
    }

    /// The plugin did what the contract forbids.
    pub(crate) fn broke(&self, function: &'static str, what: &str) -> PluginError {
        PluginError::BrokeContract { call: self.call_of(function, Place::default()), what: printable(what, 4000) }
    }

    fn udf(&self) -> &Udf {
        self.udf.as_ref().expect("`create` was called")
    }

    fn resource(&self) -> ResourceAny {
        self.udf().resource
    }

    fn call_of(&self, function: &'static str, place: Place) -> Call {
        Call { plugin: self.store.data().plugin.clone(), function, place }
    }

    /// Calls a function through the generated bindings.
    fn call<R>(
        &mut self,
        function: &'static str,
        place: Place,
        call: impl FnOnce(&Guest, &mut Store<State>) -> wasmtime::Result<Result<R, wit::Error>>,
    ) -> Result<R, PluginError> {
        self.store.data_mut().start_call(place);
        let result = call(self.bindings.lthost_udf_udf(), &mut self.store);
        self.settle(function, result)
    }

    /// Calls a function whose arguments are lowered in place.
    fn call_lowered<P: ComponentNamedList + Lower>(
        &mut self,
        function: &'static str,
        place: Place,
        func: Func,
        parameters: impl FnOnce(ResourceAny) -> P,
    ) -> Result<(), PluginError> {
        let parameters = parameters(self.resource());
        self.store.data_mut().start_call(place);
        let result = lower::call(&func, &mut self.store, parameters);
        self.settle(function, result)
    }

    fn settle<R>(
        &mut self,
        function: &'static str,
        result: wasmtime::Result<Result<R, wit::Error>>,
    ) -> Result<R, PluginError> {
        wasi::end_call(self.store.data_mut());
        match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(PluginError::Failed {
                call: self.call_of(function, self.store.data().place.clone()),
                message: printable_lines(&error.message, 4000),
                causes: error.causes.iter().take(16).map(|cause| printable(cause, 1000)).collect(),
            }),
            Err(error) => Err(explain(&mut self.store, function, &error)),
        }
    }

    fn finish_emission(&mut self, function: &'static str, place: &Place) -> Result<Vec<EmittedPieces>, PluginError> {
        let emission = std::mem::take(&mut self.store.data_mut().emission);
        emission.finish().map_err(|error| PluginError::BrokeContract {
            call: self.call_of(function, place.clone()),
            what: error.to_string(),
        })
    }

    /// Holds the hand-made argument types against the plugin's, once: calls rely on it.
    fn check_methods(&mut self) -> Result<(), PluginError> {
        fn check<P: ComponentNamedList + Lower + 'static, R: ComponentNamedList + Lift + 'static>(
            func: &Func,
            store: &Store<State>,
        ) -> wasmtime::Result<()> {
            func.typed::<P, R>(store).map(|_| ())
        }
        type Outcome = (Result<(), wit::Error>,);
        let udf = self.udf();
        check::<(ResourceAny, lower::Tile<'static>), Outcome>(&udf.process, &self.store)
            .and_then(|()| check::<(ResourceAny, lower::List<'static, u8>), Outcome>(&udf.window, &self.store))
            .and_then(|()| {
                check::<(ResourceAny, &'static [lower::Argument<'static>]), Outcome>(&udf.update, &self.store)
            })
            .and_then(|()| {
                check::<
                    (
                        ResourceAny,
                        wit::Partition,
                        &'static [lower::Array<'static>],
                        &'static [lower::Array<'static>],
                        &'static [u8],
                    ),
                    Outcome,
                >(&udf.merge, &self.store)
            })
            .and_then(|()| {
                check::<(ResourceAny, &'static [lower::Partial<'static>]), Outcome>(&udf.merge_all, &self.store)
            })
            .and_then(|()| {
                check::<(ResourceAny, &'static [lower::Array<'static>], &'static [u8]), Outcome>(
                    &udf.results,
                    &self.store,
                )
            })
            .map_err(|error| PluginError::Runtime { message: format!("{error:#}") })
    }
}

/// On which thread an instance lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Worker,
    Main,
}

/// Whether frames, which are ascending, follow each other without a gap.
fn is_run(frames: &[u64]) -> bool {
    frames[frames.len() - 1] - frames[0] + 1 == frames.len() as u64
}

/// All parameters but AUX data.
fn arguments(parameters: &Parameters) -> Vec<lower::Argument<'_>> {
    let is_aux = |name: &str| parameters.aux.iter().any(|aux| aux.name == name);
    let plain = parameters.values.iter().filter(|(name, _)| !is_aux(name));
    plain.map(|(name, value)| lower::Argument { name, value: convert::to_value(value) }).collect()
}

fn partition_place(partition: &PartitionRange) -> Place {
    Place { partition: Some(partition.index), frames: Some(partition.frames.clone()) }
}

/// Shapes of the buffers that are not result-only.
fn shapes(declarations: &[Declaration], n_rows: u64, sig: &Shape) -> Vec<Vec<u64>> {
    let shape = |declaration: &Declaration| {
        declaration.shape(n_rows, sig).expect("checked with the declarations").axes().to_vec()
    };
    declarations.iter().map(shape).collect()
}

/// The buffers that are not result-only, ready to be lowered.
fn arrays<'a>(declarations: &[Declaration], shapes: &'a [Vec<u64>], data: &[&'a [u8]]) -> Vec<lower::Array<'a>> {
    declarations
        .iter()
        .zip(shapes)
        .zip(data)
        .filter(|((declaration, _), _)| declaration.usage != Usage::ResultOnly)
        .map(|((declaration, shape), data)| lower::Array {
            shape,
            data: Values::new(declaration.dtype, lower::Fill::Slice(data)),
        })
        .collect()
}

/// Pieces of buffers that were emitted whole or not at all, as one.
fn joined(emitted: Vec<EmittedPieces>) -> Emitted {
    let join = |mut pieces: Vec<Piece>| match pieces.len() {
        0 => None,
        1 => pieces.pop().map(|piece| piece.data),
        _ => Some(pieces.iter().map(|piece| &piece.data[..]).collect::<Vec<_>>().concat()),
    };
    emitted.into_iter().map(|(pieces, mask)| (join(pieces), mask)).collect()
}

/// What a failed call means.
fn explain(store: &mut Store<State>, function: &'static str, error: &wasmtime::Error) -> PluginError {
    let state = store.data_mut();
    if state.cancel.is_cancelled() {
        return PluginError::Cancelled;
    }
    let call = Call { plugin: state.plugin.clone(), function, place: state.place.clone() };
    if let Some(what) = state.broken.take() {
        return PluginError::BrokeContract { call, what };
    }
    let backtrace = error.downcast_ref::<WasmBacktrace>().map(frames).unwrap_or_default();
    if state.timed_out {
        let (time, limit) = if Instant::now() >= state.end_of_run {
            (TimeLimit::Run, state.limits.run_timeout)
        } else {
            (TimeLimit::Call, state.limits.timeout)
        };
        return PluginError::TimedOut { call, time, limit_s: limit.as_secs_f64(), backtrace };
    }
    let message = state.last_error.take().map(|message| printable_lines(&message, MAX_LOG_CHARS));
    if let Some(Refusal { what, wanted, limit, shared, option }) = state.refusal {
        return PluginError::OverLimit { call, what, wanted, limit, shared, option, message };
    }
    if let Some(trap) = error.downcast_ref::<wasmtime::Trap>() {
        return PluginError::Trapped { call, trap: reason(*trap, state.max_stack_bytes), message, backtrace };
    }
    let cause = error.root_cause().to_string();
    let limits = &state.limits;
    let what = if cause.starts_with("too much data is being copied") {
        "hands over more data in one call than its buffers can hold".to_owned()
    } else if cause.contains("instance count too high") || cause.contains("memory count too high") {
        format!("is made of more than {} core instances or memories (raise --max-instances)", limits.max_instances)
    } else if cause.contains("table count too high") {
        format!("has more than {} tables (raise --max-tables)", limits.max_tables)
    } else {
        printable(&cause, 2000)
    };
    PluginError::BrokeContract { call, what }
}

/// What a trap means to someone who does not know WebAssembly.
fn reason(trap: wasmtime::Trap, max_stack_bytes: u64) -> String {
    match trap {
        wasmtime::Trap::UnreachableCodeReached => {
            "it gave up without a message (`unreachable` was executed)".to_owned()
        }
        wasmtime::Trap::StackOverflow => {
            format!("its calls are nested too deeply for {max_stack_bytes} bytes of stack (raise --max-stack)")
        }
        trap => trap.to_string().trim_start_matches("wasm trap: ").to_owned(),
    }
}

/// Functions of a backtrace, innermost first, those too that were inlined, with file and line where the plugin has them.
///
/// Left out is what says nothing of the plugin: how Rust panics, and how the contract's bindings and the SDKs call.
fn frames(backtrace: &WasmBacktrace) -> Vec<String> {
    const PANIC: [&str; 5] =
        ["__rustc::", "core::panicking::", "core::result::unwrap_failed", "core::option::", "std::"];
    const BINDINGS: [&str; 3] = ["lthost:udf/", "lth_", "__assert_fail"];
    let of_frame = |frame: &wasmtime::FrameInfo| -> Vec<String> {
        let named = |name: Option<&str>, source: Option<(&str, u32)>| {
            let name = name.or(frame.func_name()).map_or_else(
                || format!("function {}", frame.func_index()),
                |name| format!("{:#}", rustc_demangle::demangle(name)),
            );
            let line = source.map(|(file, line)| format!(" ({file}:{line})")).unwrap_or_default();
            printable(&format!("{name}{line}"), 400)
        };
        if frame.symbols().is_empty() {
            return vec![named(None, None)];
        }
        // Lines of the standard library say nothing of the plugin either.
        let own =
            frame.symbols().iter().filter(|symbol| !symbol.file().is_some_and(|file| file.starts_with("/rustc/")));
        own.map(|symbol| named(symbol.name(), symbol.file().zip(symbol.line()))).collect()
    };
    let all: Vec<String> = backtrace.frames().iter().flat_map(of_frame).collect();
    // What the SDK does between the host and the plugin, unless there is nothing else.
    let is_sdk = |name: &String| name.contains("guest-sdk/src/");
    let has_own = all.iter().any(|name| name.ends_with(')') && !is_sdk(name));
    let all = all.into_iter().filter(|name| !(has_own && is_sdk(name)));
    let is_panic = |name: &String| PANIC.iter().any(|prefix| name.starts_with(prefix));
    let is_binding = |name: &String| {
        name.contains("bindings::") || name.contains("_cabi<") || BINDINGS.iter().any(|prefix| name.starts_with(prefix))
    };
    all.skip_while(is_panic).filter(|name| !is_binding(name)).take(16).collect()
}
