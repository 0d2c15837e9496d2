//! Which checks are made: some shapes and dtypes, each with some partitions, tiles, workers and ROIs. Not all with all.

use lthost::shape::Dtype;

use super::{
    case::{Case, Roi, Tiles},
    check::{Change, Check, Group},
    data::Data,
    lab::{How, Lab, Ran},
};

/// Dtypes in the order in which one is looked for that all checks can be made with.
const USUAL: [Dtype; 3] = [Dtype::U16, Dtype::F32, Dtype::U8];
/// Frames of a tile where frames are split.
const SPLIT_DEPTH: u64 = 8;

/// The data that there are.
pub(super) struct Space {
    pub(super) navs: Vec<Vec<u64>>,
    pub(super) sigs: Vec<Vec<u64>>,
    pub(super) dtypes: Vec<Dtype>,
}

/// What checks are made of.
pub(super) struct Plan {
    space: Space,
    /// Data that the plugin takes: all checks are made with these.
    main: Data,
    /// It runs over these.
    is_done: bool,
    /// It gets other tiles if these are to be larger.
    has_tiles: bool,
    /// It takes parts of frames.
    has_blocks: bool,
}

/// What a check leaves as it is, so that it says nothing of what is known to be broken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) tiles: Tiles,
    /// It keeps something from one partition to the next: then several can't be held against one.
    pub(super) has_state: bool,
}

impl Space {
    /// All data, but for what the user fixes.
    pub(super) fn new(nav: Option<Vec<u64>>, sig: Option<Vec<u64>>) -> Self {
        let navs = || [&[3, 4][..], &[12], &[2, 3, 2], &[1, 1], &[1]].map(<[u64]>::to_vec).to_vec();
        let sigs = || [&[7, 5][..], &[16, 16], &[19, 3], &[1, 1], &[13], &[2, 3, 4]].map(<[u64]>::to_vec).to_vec();
        let others = Dtype::all().filter(|dtype| !USUAL.contains(dtype));
        Self {
            navs: nav.map_or_else(navs, |nav| vec![nav]),
            sigs: sig.map_or_else(sigs, |sig| vec![sig]),
            dtypes: USUAL.into_iter().chain(others).collect(),
        }
    }
}

impl Plan {
    /// Finds data that the plugin takes. Gives the first refusal if there are none.
    pub(super) fn find(lab: &mut Lab<'_>, space: Space) -> anyhow::Result<Result<Self, String>> {
        let (mut main, mut is_done, mut refusal) = (None, false, String::new());
        'search: for dtype in &space.dtypes {
            for (sig, nav) in space.sigs.iter().flat_map(|sig| space.navs.iter().map(move |nav| (sig, nav))) {
                let data = Data::new(nav, sig, *dtype);
                match &*lab.run(&Case::plain(data.clone()))? {
                    Ran::Done(_) => {
                        (main, is_done) = (Some(data), true);
                        break 'search;
                    }
                    Ran::Failed(failure) => {
                        main = main.or(Some(data));
                        if failure.how == How::Timeout {
                            break 'search;
                        }
                    }
                    Ran::Refused(reason) if refusal.is_empty() => refusal.clone_from(reason),
                    Ran::Refused(_) => {}
                }
            }
        }
        let Some(main) = main else { return Ok(Err(refusal)) };
        let mut plan = Self { space, main, is_done, has_tiles: true, has_blocks: true };
        if is_done {
            lab.learn_form(&plan.main)?;
            plan.has_tiles =
                lab.n_calls(&Case { tiles: Tiles::Frames(1), ..plan.case() })? != lab.n_calls(&plan.case())?;
            plan.has_blocks = plan.has_blocks(lab)?;
        }
        Ok(Ok(plan))
    }

    /// Data that the plugin takes.
    pub(super) fn main(&self) -> &Data {
        &self.main
    }

    fn case(&self) -> Case {
        Case::plain(self.main.clone())
    }

    fn has_blocks(&self, lab: &mut Lab<'_>) -> anyhow::Result<bool> {
        for data in self.shapes().into_iter().filter(|data| data.nav == self.main.nav) {
            let Some(tiles) = blocks(&data) else { continue };
            let n_frames = data.n_frames();
            let split = Case { partitions: n_frames, tiles, ..Case::plain(data) };
            let has_blocks = match &*lab.run(&split)? {
                Ran::Done(_) => lab.n_calls(&split)?.is_some_and(|n_calls| n_calls > n_frames),
                Ran::Refused(_) => false,
                // What it fails at is for the checks to say.
                Ran::Failed(_) => true,
            };
            if has_blocks {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Why a group can't be checked.
    pub(super) fn not_checked(&self, group: Group, held: Held) -> Option<&'static str> {
        match group {
            Group::Shapes => None,
            _ if !self.is_done => Some("it fails on all data, as above"),
            Group::Tiles if !self.has_tiles => Some("it gets the same tiles, however large they are to be"),
            Group::Partitions if held.has_state => Some("what it keeps from one partition to the next is in the way"),
            Group::Split if !self.has_blocks => Some("it takes whole frames"),
            _ => None,
        }
    }

    /// The checks of a group.
    pub(super) fn checks(&self, group: Group, held: Held) -> Vec<Check> {
        let plain = |data: &Data| Case { tiles: held.tiles, ..Case::plain(data.clone()) };
        let check = |base: Case, change| Check { group, base, change };
        let (all, dtypes, main) = (self.all(), self.dtypes(), plain(&self.main));
        let n_frames = self.main.n_frames();
        match group {
            Group::Shapes => all.iter().map(|data| check(plain(data), Change::Nothing)).collect(),
            Group::Finite => {
                let ample = all.iter().filter(|data| is_ample(data));
                ample.map(|data| check(plain(data), Change::Nothing)).collect()
            }
            Group::Dtypes => {
                let widened = dtypes.iter().filter_map(Data::widened);
                widened.map(|data| check(plain(&data), Change::OwnDtype)).collect()
            }
            Group::Workers => {
                let case = |data: &Data, partitions| Case { partitions, ..plain(data) };
                let small = dtypes.iter().map(|data| check(case(data, 4), Change::Workers(4)));
                let more = [2, 4].map(|workers| check(case(&self.main, n_frames), Change::Workers(workers)));
                let two = check(case(&self.main, 2), Change::Workers(2));
                small.chain(more).chain([two]).collect()
            }
            Group::Tiles => {
                let one = all.iter().map(|data| check(plain(data), Change::Tiles(Tiles::Frames(1))));
                let few = dtypes.iter().map(|data| check(plain(data), Change::Tiles(Tiles::Frames(5))));
                let in_partitions = Case { partitions: 3, ..main.clone() };
                let more = [2, 3, 7].map(|n| check(in_partitions.clone(), Change::Tiles(Tiles::Frames(n))));
                let frames = |n| Case { tiles: Tiles::Frames(n), ..main.clone() };
                let order = [1, 5].map(|n| check(frames(n), Change::Backwards));
                one.chain(few).chain(more).chain(order).filter(|check| check.base.data.n_frames() > 1).collect()
            }
            Group::Split => {
                // As many frames in a tile as there will be.
                let whole = |data: &Data| Case { tiles: Tiles::Frames(SPLIT_DEPTH), ..plain(data) };
                let split = |data: &Data| Some(check(whole(data), Change::Tiles(blocks(data)?)));
                let single = check(whole(&self.main), Change::Tiles(Tiles::Pixels(1)));
                let blocks = Some(self.case()).zip(blocks(&self.main));
                let order = blocks.map(|(case, tiles)| check(Case { tiles, ..case }, Change::Backwards));
                all.iter().filter_map(split).chain([single]).chain(order).collect()
            }
            Group::Partitions => {
                let with = |data: &Data, n: u64| check(plain(data), Change::Partitions(n.min(data.n_frames())));
                let single = all.iter().map(|data| with(data, data.n_frames()));
                let uneven = dtypes.iter().map(|data| with(data, 5));
                let more = [2, 3].map(|n| with(&self.main, n));
                single.chain(uneven).chain(more).filter(|check| check.base.data.n_frames() > 1).collect()
            }
            Group::Missing => {
                let data = Data { missing: n_frames * 5 / 12, ..self.main.clone() };
                if data.missing == 0 {
                    return Vec::new();
                }
                let alone = [1, 2, 4].map(|partitions| check(Case { partitions, ..plain(&data) }, Change::Nothing));
                let several = [2, 4].map(|n| check(plain(&data), Change::Partitions(n)));
                alone.into_iter().chain(several.into_iter().filter(|_| !held.has_state)).collect()
            }
            Group::Roi => self.roi_checks(held),
            Group::Golden => Vec::new(),
        }
    }

    fn roi_checks(&self, held: Held) -> Vec<Check> {
        let check = |base: Case, change| Check { group: Group::Roi, base, change };
        let plain = Case { tiles: held.tiles, ..self.case() };
        let with = |roi| Case { roi, ..plain.clone() };
        let mut checks: Vec<Check> =
            [Roi::Some, Roi::One, Roi::Nothing].map(|roi| check(with(roi), Change::Nothing)).into();
        checks.push(check(plain.clone(), Change::RoiOfAll));
        if self.main.n_frames() > 1 {
            for only in [2, 1] {
                let base = Case { partitions: 3, only: Some(only), ..plain.clone() };
                checks.push(check(base, Change::RoiInstead));
            }
            if !held.has_state {
                checks.push(check(with(Roi::Some), Change::Partitions(4)));
            }
            checks.push(check(with(Roi::Some), Change::Tiles(Tiles::Frames(1))));
        }
        checks.extend(self.shapes().iter().map(|data| {
            let case = Case { roi: Roi::Some, tiles: held.tiles, ..Case::plain(data.clone()) };
            check(case, Change::Nothing)
        }));
        checks
    }

    /// Every shape and every dtype, but not each with each.
    fn all(&self) -> Vec<Data> {
        let mut all = self.shapes();
        all.extend(self.dtypes().into_iter().skip(1));
        all
    }

    /// The dtypes, that of the main data first.
    fn dtypes(&self) -> Vec<Data> {
        let Data { nav, sig, dtype: main, .. } = &self.main;
        let others = self.space.dtypes.iter().filter(|dtype| *dtype != main);
        [main].into_iter().chain(others).map(|dtype| Data::new(nav, sig, *dtype)).collect()
    }

    /// The shapes, that of the main data first.
    fn shapes(&self) -> Vec<Data> {
        let Data { nav: main_nav, sig: main_sig, dtype, .. } = &self.main;
        let navs = self.space.navs.iter().filter(|nav| *nav != main_nav);
        let sigs = self.space.sigs.iter().filter(|sig| *sig != main_sig);
        let mut shapes = vec![self.main.clone()];
        shapes.extend(navs.map(|nav| Data::new(nav, main_sig, *dtype)));
        shapes.extend(sigs.map(|sig| Data::new(main_nav, sig, *dtype)));
        shapes
    }
}

/// Whether there is enough to ask for numbers: a single frame or pixel has no spread.
pub(super) fn is_ample(data: &Data) -> bool {
    data.n_frames() > 1 && data.n_pixels() > 1
}

/// The largest tiles that split frames; none if these are too small for that.
pub(super) fn blocks(data: &Data) -> Option<Tiles> {
    let n_pixels = (data.n_pixels() - 1) / SPLIT_DEPTH;
    (n_pixels > 0).then_some(Tiles::Pixels(n_pixels))
}
