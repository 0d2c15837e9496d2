//! Between the contract and a [`Udf`]: receives the host's calls, keeps the buffers, and emits them.

use std::{cell::RefCell, marker::PhantomData, panic, rc::Rc, sync::Once};

use crate::{
    Buffer, Buffers, Dtype, Error, Meta, Output, Params, Partial, Partition, Result, Tile, Tiling, Udf, Value,
    bindings::{
        exports::lthost::udf::udf::{Guest, GuestUdf, Partial as WitPartial, Udf as Handle},
        lthost::udf::types as wit,
    },
    buffer::Usage,
    convert::{count, shape},
    host::{self, Level},
    manifest::ParameterType,
    tile::Content,
};

/// The export of a plugin.
#[derive(Debug)]
pub struct Adapter<U>(PhantomData<U>);

/// A UDF set up for a run, with its buffers.
#[derive(Debug)]
pub struct Instance<U>(RefCell<State<U>>);

#[derive(Debug)]
struct State<U> {
    udf: U,
    meta: Rc<Meta>,
    /// Names of the AUX parameters that were given.
    aux_names: Vec<String>,
    /// What `buffers` said.
    declared: Option<Rc<Vec<Buffer>>>,
    /// What it was told of its tiles.
    input: Option<Dtype>,
    /// Where the host puts tiles.
    window: Rc<Vec<u8>>,
    partial: Option<Partial>,
}

impl<U: Udf> Guest for Adapter<U> {
    type Udf = Instance<U>;

    fn describe() -> wit::Manifest {
        report_panics();
        U::manifest().into()
    }
}

impl<U: Udf> GuestUdf for Instance<U> {
    fn create(arguments: Vec<wit::Argument>, meta: wit::Meta) -> Result<Handle, wit::Error> {
        report_panics();
        Ok(Handle::new(Self::start(arguments, meta)?))
    }

    fn preferences(&self) -> Result<wit::Preferences, wit::Error> {
        Ok(self.0.borrow().udf.preferences().into())
    }

    fn buffers(&self, input: wit::Dtype) -> Result<Vec<wit::Buffer>, wit::Error> {
        Ok(self.0.borrow_mut().declare(input.into())?)
    }

    fn preprocess(&self) -> Result<(), wit::Error> {
        let state = self.0.borrow();
        Ok(state.udf.preprocess(&mut state.output(false)?)?)
    }

    fn begin(&self, partition: wit::Partition, tiling: wit::Tiling) -> Result<(), wit::Error> {
        Ok(self.0.borrow_mut().begin(partition.try_into()?, tiling.try_into()?)?)
    }

    fn window(&self, memory: Vec<u8>) -> Result<(), wit::Error> {
        self.0.borrow_mut().window = Rc::new(memory);
        Ok(())
    }

    fn process(&self, tile: wit::Tile) -> Result<(), wit::Error> {
        Ok(self.0.borrow_mut().process(tile)?)
    }

    fn end(&self) -> Result<(), wit::Error> {
        Ok(self.0.borrow_mut().end()?)
    }

    fn merge(
        &self,
        partition: wit::Partition,
        dest: Vec<wit::Array>,
        src: Vec<wit::Array>,
        valid: Vec<u8>,
    ) -> Result<(), wit::Error> {
        Ok(self.0.borrow().merge(partition.try_into()?, dest, src, &valid)?)
    }

    fn merge_all(&self, partials: Vec<WitPartial>) -> Result<(), wit::Error> {
        Ok(self.0.borrow().merge_all(partials)?)
    }

    fn results(&self, merged: Vec<wit::Array>, valid: Vec<u8>) -> Result<(), wit::Error> {
        Ok(self.0.borrow().results(merged, &valid)?)
    }

    fn update(&self, arguments: Vec<wit::Argument>) -> Result<(), wit::Error> {
        Ok(self.0.borrow_mut().udf.update(&params(arguments)?)?)
    }
}

impl<U: Udf> Instance<U> {
    /// What `create` does, without a host.
    pub(crate) fn start(arguments: Vec<wit::Argument>, meta: wit::Meta) -> Result<Self> {
        let params = params(arguments)?;
        let meta: Rc<Meta> = Rc::new(meta.try_into()?);
        // AUX data do not come as arguments: what is declared as AUX data and is missing there was given.
        let is_aux = |types: &[ParameterType]| types.iter().any(|one| matches!(one, ParameterType::Aux { .. }));
        let manifest = U::manifest();
        if manifest.real_only && meta.dataset_dtype.is_complex() {
            let (name, dtype) = (manifest.name, meta.dataset_dtype);
            return Err(Error::new(format!("{name} needs real numbers, and the frames are {dtype}")));
        }
        let declared = manifest.parameters.into_iter().filter(|parameter| is_aux(&parameter.types));
        let aux_names = declared.map(|parameter| parameter.name).filter(|name| params.value(name).is_err()).collect();
        let udf = U::new(&params, &meta)?;
        Ok(Self(RefCell::new(State {
            udf,
            meta,
            aux_names,
            declared: None,
            input: None,
            window: Rc::default(),
            partial: None,
        })))
    }

    /// The dtype that the UDF's tiles will have.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn input_dtype(&self) -> Dtype {
        let state = self.0.borrow();
        state.meta.input_dtype(&state.udf.preferences())
    }
}

impl<U: Udf> State<U> {
    fn declare(&mut self, input: Dtype) -> Result<Vec<wit::Buffer>> {
        let declared = Rc::new(self.udf.buffers(input)?);
        let stated = declared.iter().map(TryInto::try_into).collect::<Result<_>>()?;
        self.partial = Some(Partial::new(&declared, &self.meta));
        self.declared = Some(declared);
        self.input = Some(input);
        Ok(stated)
    }

    fn begin(&mut self, partition: Partition, tiling: Tiling) -> Result<()> {
        let partial = self.partial.as_mut().ok_or_else(unprepared)?;
        partial.restart(partition, tiling)?;
        self.udf.begin(&partition, partial)
    }

    fn process(&mut self, tile: wit::Tile) -> Result<()> {
        let aux = tile.aux.into_iter().map(TryInto::try_into).collect::<Result<Vec<_>>>()?;
        if aux.len() != self.aux_names.len() {
            return Err(host::fault("a tile has another number of AUX arrays than were given"));
        }
        let tile = Tile {
            meta: Rc::clone(&self.meta),
            roi_start: count(tile.roi_start)?,
            n_frames: count(tile.n_frames)?,
            frames: tile.frames.try_into()?,
            sig_start: count(tile.sig_start)?,
            sig_origin: shape(&tile.sig_origin)?,
            sig_shape: shape(&tile.sig_shape)?,
            sig_index: count(tile.sig_index)?,
            aux: self.aux_names.iter().cloned().zip(aux).collect(),
            pixels: self.pixels(tile.data)?,
        };
        self.udf.process(&tile.checked()?, self.partial.as_mut().ok_or_else(unprepared)?)
    }

    /// The pixels of a tile, in one of the forms that [`Preferences`](crate::Preferences) ask for.
    fn pixels(&self, data: wit::TileData) -> Result<Content> {
        match data {
            wit::TileData::Dense(values) => Ok(Content::Dense(values)),
            wit::TileData::Csr(wit::CsrData { indptr, indices, values }) => {
                Ok(Content::Csr { indptr, indices, values })
            }
            wit::TileData::Window(start) => Ok(Content::Window {
                memory: Rc::clone(&self.window),
                start: count(start.into())?,
                dtype: self.input.ok_or_else(unprepared)?,
            }),
            wit::TileData::InHost => Ok(Content::InHost),
            wit::TileData::Bytes(_) => Err(host::fault("a tile has a form that was not asked for")),
        }
    }

    fn end(&mut self) -> Result<()> {
        let partial = self.partial.as_mut().ok_or_else(unprepared)?;
        partial.start_ending();
        self.udf.end(partial)?;
        partial.finish()
    }

    fn merge(&self, partition: Partition, dest: Vec<wit::Array>, src: Vec<wit::Array>, valid: &[u8]) -> Result<()> {
        let (dest, src) = (self.received(dest)?, self.received(src)?);
        self.udf.merge(&partition, &dest, &src, &self.valid(valid)?)?;
        for (idx, buffer) in self.declared()?.iter().enumerate() {
            if buffer.usage != Usage::ResultOnly && buffer.merging()? == crate::Merge::Custom {
                dest.emit(idx)?;
            }
        }
        Ok(())
    }

    fn merge_all(&self, partials: Vec<WitPartial>) -> Result<()> {
        let received = |partial: WitPartial| Ok((partial.partition.try_into()?, self.received(partial.buffers)?));
        let partials = partials.into_iter().map(received).collect::<Result<Vec<_>>>()?;
        self.udf.merge_all(&partials, &mut self.output(false)?)
    }

    fn results(&self, merged: Vec<wit::Array>, valid: &[u8]) -> Result<()> {
        self.udf.results(&self.received(merged)?, &self.valid(valid)?, &mut self.output(true)?)
    }

    /// For each frame of the ROI whether its data are merged.
    fn valid(&self, bytes: &[u8]) -> Result<Vec<bool>> {
        if bytes.len() != self.meta.n_roi_frames {
            return Err(host::fault("not one truth value per frame of the ROI"));
        }
        Ok(bytes.iter().map(|&is_valid| is_valid != 0).collect())
    }

    fn received(&self, arrays: Vec<wit::Array>) -> Result<Buffers> {
        let arrays = arrays.into_iter().map(TryInto::try_into).collect::<Result<_>>()?;
        Buffers::received(self.declared()?, arrays)
    }

    fn output(&self, takes_masks: bool) -> Result<Output> {
        Ok(Output::new(self.declared()?, &self.meta, takes_masks))
    }

    fn declared(&self) -> Result<&Rc<Vec<Buffer>>> {
        self.declared.as_ref().ok_or_else(unprepared)
    }
}

fn params(arguments: Vec<wit::Argument>) -> Result<Params> {
    let value = |argument: wit::Argument| Ok((argument.name, Value::try_from(argument.value)?));
    Ok(Params { values: arguments.into_iter().map(value).collect::<Result<_>>()? })
}

fn unprepared() -> Error {
    host::fault("work began before `buffers` was called")
}

/// Lets a panic say what and where before the trap that ends it.
fn report_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| panic::set_hook(Box::new(|panic| host::log(Level::Error, panic))));
}
