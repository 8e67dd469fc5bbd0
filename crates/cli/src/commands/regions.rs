//! `--layout`, `--ifd`, `--fmap` and `--region`: which parts of a chip are meant.

use std::ops::Range;
use std::path::{Path, PathBuf};

use flashwire::files::read as read_file;
use flashwire::images::{Firmware, LoadOptions};
use flashwire::{
    Error, Image, Info, Layout, Problem, Region, RegionContent, Session, image_of_regions,
};

use super::files;
use crate::args::spi::RegionArgs;
use crate::progress::ProgressView;

/// The regions that the options name; what they name is not known before there is a chip.
pub(super) struct Regions {
    source: Source,
    pub(super) wanted: Vec<Wanted>,
}

/// Where regions are described.
enum Source {
    Read(Layout),
    Descriptor,
    Fmap,
}

/// A region that is wanted, with the file that is its own.
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) file: Option<PathBuf>,
}

impl Regions {
    /// Understands the options and reads the description if it is in a file. `None` if no regions
    /// are named.
    pub(super) fn new(args: &RegionArgs) -> Result<Option<Self>, Error> {
        let usage = |what: &str| Err(Problem::Usage(what.to_owned()).into());
        let source = match (&args.layout, &args.ifd, &args.fmap) {
            (Some(file), ..) => Some(Source::Read(layout(file, Layout::parse)?)),
            (_, Some(Some(file)), _) => Some(Source::Read(layout(file, Layout::from_descriptor)?)),
            (_, Some(None), _) => Some(Source::Descriptor),
            (.., Some(Some(file))) => Some(Source::Read(layout(file, Layout::find_fmap)?)),
            (.., Some(None)) => Some(Source::Fmap),
            _ => None,
        };
        let wanted: Vec<Wanted> = args.region.iter().map(|text| Wanted::of(text)).collect();
        let Some(source) = source else {
            if wanted.is_empty() {
                return Ok(None);
            }
            return usage(
                "--region needs --layout FILE, --ifd or --fmap to know what the name means",
            );
        };
        if wanted.is_empty() {
            return usage("a layout alone says nothing: --region NAME says which of its regions");
        }
        // What can be wrong without a chip is found without one.
        if let Source::Read(layout) = &source {
            layout.select(&names(&wanted)).map_err(Problem::from)?;
        }
        Ok(Some(Self { source, wanted }))
    }

    /// What the regions are called, in messages.
    pub(super) fn names(&self) -> String {
        names(&self.wanted).join(", ")
    }

    /// Finds the regions on this chip, in order of address, each with its place among the wanted.
    pub(super) fn find(
        &self,
        session: &mut Session,
        watcher: &mut ProgressView,
    ) -> Result<Vec<(Region, &Wanted)>, Error> {
        let layout = match &self.source {
            Source::Read(layout) => session.fitting_layout(layout.clone())?,
            Source::Descriptor => session.descriptor_layout(watcher)?,
            Source::Fmap => session.fmap_layout(watcher)?,
        };
        let regions = layout.select(&names(&self.wanted)).map_err(Problem::from)?;
        let with_wanted = regions.into_iter().filter_map(|region| {
            let wanted = self
                .wanted
                .iter()
                .find(|wanted| wanted.name == region.name)?;
            Some((region, wanted))
        });
        Ok(with_wanted.collect())
    }
}

impl Wanted {
    /// `NAME` or `NAME:FILE`.
    fn of(text: &str) -> Self {
        match text.split_once(':') {
            Some((name, file)) if !file.is_empty() => Self {
                name: name.to_owned(),
                file: Some(PathBuf::from(file)),
            },
            _ => Self {
                name: text.to_owned(),
                file: None,
            },
        }
    }
}

fn names(wanted: &[Wanted]) -> Vec<&str> {
    wanted.iter().map(|wanted| wanted.name.as_str()).collect()
}

fn layout(
    file: &Path,
    parse: fn(&[u8]) -> Result<Layout, flashwire::LayoutError>,
) -> Result<Layout, Error> {
    let content = read_file(file)?;
    parse(&content).map_err(|error| Error::from(error).about(file.display().to_string()))
}

/// What is to be written or compared: a file, or what belongs into regions. Files are read before
/// there is a chip.
pub(super) struct Content {
    whole: Option<Firmware>,
    name: String,
    regions: Option<(Regions, Vec<Option<Image>>)>,
}

impl Content {
    /// Reads the files. `whole` is that of the command, `load` reads it.
    pub(super) fn load(
        whole: Option<&Path>,
        args: &RegionArgs,
        load: impl FnOnce(&Path) -> Result<Firmware, Error>,
    ) -> Result<Self, Error> {
        let regions = Regions::new(args)?;
        let name = match (&regions, whole) {
            (None, None) => {
                let what = "there is no file; only --region NAME:FILE does without";
                return Err(Problem::Usage(what.to_owned()).into());
            }
            (_, Some(whole)) => files::name(whole),
            (Some(regions), None) => regions.names(),
        };
        let own = |wanted: &Wanted| match &wanted.file {
            Some(file) => Ok(Some(one_image(file)?)),
            None => Ok(None),
        };
        let regions = match regions {
            Some(regions) => {
                let own: Result<Vec<_>, Error> = regions.wanted.iter().map(own).collect();
                Some((regions, own?))
            }
            None => None,
        };
        let whole = whole.map(load).transpose()?;
        if let Some((regions, _)) = &regions
            && whole.is_some()
            && regions.wanted.iter().all(|wanted| wanted.file.is_some())
        {
            let what = format!("{name} is not needed: every region has a file of its own");
            return Err(Problem::Usage(what).into());
        }
        Ok(Self {
            whole,
            name,
            regions,
        })
    }

    /// What it is called in messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// All of it, for the chip that is there.
    pub(super) fn firmware(
        &self,
        session: &mut Session,
        info: &Info,
        watcher: &mut ProgressView,
    ) -> Result<Firmware, Error> {
        let Some((regions, own)) = &self.regions else {
            // `load` has seen to it that there is one.
            let missing = || Problem::Usage("there is no file".to_owned());
            return Ok(self.whole.clone().ok_or_else(missing)?);
        };
        let found = regions.find(session, watcher)?;
        let mut contents = Vec::new();
        for (region, wanted) in found {
            let index = regions.wanted.iter().position(|w| w.name == wanted.name);
            let image = index.and_then(|index| own[index].clone());
            let content = match (image, &wanted.file) {
                (Some(image), Some(file)) => RegionContent::File(image, files::name(file)),
                _ => RegionContent::OfTheWhole,
            };
            contents.push((region, content));
        }
        let whole = match &self.whole {
            Some(firmware) => Some(single(firmware, &self.name)?),
            None => None,
        };
        let whole = whole.as_ref().map(|image| (image, self.name.as_str()));
        let flash_bytes = info.flash.end - info.flash.start;
        Ok(Firmware::One(image_of_regions(
            &contents,
            whole,
            flash_bytes,
        )?))
    }
}

/// The image in a file for one region.
fn one_image(file: &Path) -> Result<Image, Error> {
    single(
        &files::load(file, LoadOptions::default())?,
        &files::name(file),
    )
}

/// The image in a file that is for one chip.
fn single(firmware: &Firmware, name: &str) -> Result<Image, Error> {
    match firmware {
        Firmware::One(image) => Ok(image.clone()),
        Firmware::Several { .. } => {
            let what = "it has images for several families of chips, and this is a flash chip";
            Err(Error::from(Problem::Usage(what.to_owned())).about(name))
        }
    }
}

/// The one region that a command without files is about.
pub(super) fn only(
    regions: &Regions,
    session: &mut Session,
    watcher: &mut ProgressView,
) -> Result<Range<u64>, Error> {
    match &regions.find(session, watcher)?[..] {
        [(region, Wanted { file: None, .. })] => Ok(region.range.clone()),
        _ => {
            let what = "one --region NAME at a time, without a file";
            Err(Problem::Usage(what.to_owned()).into())
        }
    }
}
