//! Writing and reading named regions of a chip instead of all of it.

use flashwire_plan::layout::{DESCRIPTOR_BYTES, FMAP_HEADER_BYTES, fmap_bytes};
use flashwire_plan::{Format, Image, Layout, LayoutError, Region, Segment};

use super::Session;
use crate::error::{Error, Problem};
use crate::images;
use crate::watch::{Unwatched, Watcher};

/// The least distance of the places where a flash map is looked for before the whole chip is read:
/// coreboot puts it at the start of a block.
const FMAP_STEP_BYTES: u64 = 4096;

impl Session {
    /// The regions that the Intel flash descriptor at the start of the chip names.
    ///
    /// # Errors
    /// There is none, it makes no sense or is for another chip, or the link failed.
    pub fn descriptor_layout(&mut self, watcher: &mut dyn Watcher) -> Result<Layout, Error> {
        let flash = self.flash_range();
        let end = flash.end.min(flash.start + DESCRIPTOR_BYTES as u64);
        let bytes = self.read(flash.start..end, watcher)?;
        let layout = Layout::from_descriptor(&bytes).map_err(|error| self.on_port(error))?;
        self.fitting_layout(layout)
    }

    /// The regions that a flash map of coreboot names, wherever on the chip it is. It is looked for
    /// at the starts of blocks first, the largest blocks before smaller ones; then everywhere.
    ///
    /// # Errors
    /// There is none, it makes no sense or is for another chip, or the link failed.
    pub fn fmap_layout(&mut self, watcher: &mut dyn Watcher) -> Result<Layout, Error> {
        let flash = self.flash_range();
        let mut step = (flash.end - flash.start).next_power_of_two();
        while step >= FMAP_STEP_BYTES {
            // The odd multiples; the others were tried with a larger step.
            let first = if step >= flash.end - flash.start {
                0
            } else {
                step
            };
            for start in (first..flash.end - flash.start).step_by(2 * step as usize) {
                if let Some(layout) = self.fmap_at(flash.start + start)? {
                    return self.fitting_layout(layout);
                }
            }
            step /= 2;
        }
        let bytes = self.read(flash, watcher)?;
        let layout = Layout::find_fmap(&bytes).map_err(|error| self.on_port(error))?;
        self.fitting_layout(layout)
    }

    /// The flash map that begins at `address`, if one does that makes sense.
    fn fmap_at(&mut self, address: u64) -> Result<Option<Layout>, Error> {
        let end = self.flash_range().end;
        let header_end = address + FMAP_HEADER_BYTES as u64;
        if header_end > end {
            return Ok(None);
        }
        let header = self.read(address..header_end, &mut Unwatched)?;
        let Some(bytes) = fmap_bytes(&header) else {
            return Ok(None);
        };
        let map_end = address + bytes as u64;
        if map_end > end {
            return Ok(None);
        }
        let map = self.read(address..map_end, &mut Unwatched)?;
        Ok(Layout::from_fmap(&map).ok())
    }

    /// A layout, if it is one for this chip.
    ///
    /// # Errors
    /// A region goes beyond the end of the chip.
    pub fn fitting_layout(&mut self, layout: Layout) -> Result<Layout, Error> {
        let flash = self.flash_range();
        let fits = layout.check_fits(flash.end - flash.start);
        fits.map_err(|error| self.on_port(error))?;
        Ok(layout)
    }
}

/// What is to be in a region.
#[derive(Clone, Debug)]
pub enum RegionContent {
    /// All of it: this file.
    File(Image, String),
    /// What the file of the command has for it.
    OfTheWhole,
}

/// The image that is in these regions of a chip of `flash_bytes`, in order of address, and nothing
/// else. Regions without a file of their own are cut from `whole`, which is called `name` in
/// messages: a raw binary is as large as the chip or, where there is only one region, as large as
/// that; what has addresses gives what it has for the regions.
///
/// # Errors
/// [`Problem::RegionSize`] and [`Problem::ImageSize`] for files of another size, and
/// [`Problem::Usage`] where `whole` is missing or has nothing for a region.
pub fn image_of_regions(
    regions: &[(Region, RegionContent)],
    whole: Option<(&Image, &str)>,
    flash_bytes: u64,
) -> Result<Image, Error> {
    let mut segments = Vec::new();
    for (region, content) in regions {
        match content {
            RegionContent::File(image, file) => {
                let segment = all_of(region, image).map_err(|error| error.about(file))?;
                segments.push(segment);
            }
            RegionContent::OfTheWhole => {
                let Some((image, name)) = whole else {
                    let what = format!(
                        "the region {} has no file: give one to the command, or --region {0}:FILE",
                        region.name
                    );
                    return Err(Problem::Usage(what).into());
                };
                let cut = cut(region, regions.len() == 1, image, flash_bytes);
                segments.extend(cut.map_err(|error| error.about(name))?);
            }
        }
    }
    images::of(segments)
}

/// A file that is all of a region.
fn all_of(region: &Region, image: &Image) -> Result<Segment, Error> {
    let file_bytes = image.total_bytes();
    let region_bytes = region.range.end - region.range.start;
    let address = region.range.start;
    let is_placed_elsewhere = image.is_placed() && image.range() != region.range;
    if file_bytes != region_bytes || is_placed_elsewhere {
        return Err(Problem::RegionSize {
            region: region.name.clone(),
            address,
            region_bytes,
            file_bytes,
        }
        .into());
    }
    let data = image.segments()[0].data.clone();
    Ok(Segment { address, data })
}

/// What a file of the whole chip has for a region.
fn cut(
    region: &Region,
    is_only: bool,
    image: &Image,
    flash_bytes: u64,
) -> Result<Vec<Segment>, Error> {
    let Region { name, range } = region;
    if !image.is_placed() {
        let image_bytes = image.total_bytes();
        if is_only && image_bytes == range.end - range.start {
            return Ok(vec![all_of(region, image)?]);
        }
        if image_bytes != flash_bytes {
            return Err(if is_only {
                all_of(region, image)
                    .err()
                    .unwrap_or_else(|| Problem::Layout(LayoutError::NoRegions).into())
            } else {
                Problem::ImageSize {
                    image_bytes,
                    flash_bytes,
                }
                .into()
            });
        }
    }
    let mut segments = Vec::new();
    for segment in image.segments() {
        let start = segment.address.max(range.start);
        let end = segment.range().end.min(range.end);
        if start < end {
            let within = (start - segment.address) as usize..(end - segment.address) as usize;
            segments.push(Segment {
                address: start,
                data: segment.data[within].to_vec(),
            });
        }
    }
    if segments.is_empty() {
        let format: Format = image.format();
        let what = format!("the {format} file has nothing for the region {name}");
        return Err(Problem::Usage(what).into());
    }
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLASH_BYTES: u64 = 0x1000;

    fn region(name: &str, start: u64, end: u64) -> Region {
        Region {
            name: name.to_owned(),
            range: start..end,
        }
    }

    fn raw(bytes: usize, first: u8) -> Image {
        let content = (0..bytes).map(|n| first.wrapping_add(n as u8)).collect();
        Image::from_binary(content, None).unwrap()
    }

    fn code(image: Result<Image, Error>) -> &'static str {
        image.unwrap_err().hint().code
    }

    #[test]
    fn regions_are_cut_from_a_file_of_the_whole_chip() {
        let whole = raw(0x1000, 0);
        let regions = [
            (region("a", 0x10, 0x20), RegionContent::OfTheWhole),
            (region("b", 0x800, 0x900), RegionContent::OfTheWhole),
        ];
        let image = image_of_regions(&regions, Some((&whole, "w")), FLASH_BYTES).unwrap();
        let ranges: Vec<_> = image.segments().iter().map(Segment::range).collect();
        assert_eq!(ranges, [0x10..0x20, 0x800..0x900]);
        assert_eq!(image.segments()[0].data[0], 0x10);
    }

    #[test]
    fn a_file_of_its_own_is_all_of_its_region() {
        let file = |bytes| RegionContent::File(raw(bytes, 7), "f.bin".to_owned());
        let a = region("a", 0x10, 0x20);
        let image = image_of_regions(&[(a.clone(), file(0x10))], None, FLASH_BYTES).unwrap();
        assert_eq!(image.range(), 0x10..0x20);
        for bytes in [0xF, 0x11, 0x1000] {
            let wrong = image_of_regions(&[(a.clone(), file(bytes))], None, FLASH_BYTES);
            assert_eq!(code(wrong), "region-size");
        }
    }

    #[test]
    fn a_raw_file_of_another_size_than_chip_and_region_is_refused() {
        let a = (region("a", 0x10, 0x20), RegionContent::OfTheWhole);
        let b = (region("b", 0x20, 0x30), RegionContent::OfTheWhole);
        let only = |bytes| {
            let image = raw(bytes, 0);
            image_of_regions(std::slice::from_ref(&a), Some((&image, "w")), FLASH_BYTES)
        };
        assert_eq!(only(0x10).unwrap().range(), 0x10..0x20);
        assert_eq!(only(0x1000).unwrap().segments()[0].data[0], 0x10);
        assert_eq!(code(only(0x11)), "region-size");
        let image = raw(0x20, 0);
        let both = image_of_regions(&[a.clone(), b], Some((&image, "w")), FLASH_BYTES);
        assert_eq!(code(both), "image-size");
        assert_eq!(code(image_of_regions(&[a], None, FLASH_BYTES)), "usage");
    }

    #[test]
    fn what_has_addresses_gives_what_it_has_for_the_region() {
        let segment = Segment {
            address: 0x18,
            data: vec![1; 0x100],
        };
        let image = Image::from_segments(Format::IntelHex, vec![segment]).unwrap();
        let cut = |start, end| {
            let region = (region("a", start, end), RegionContent::OfTheWhole);
            image_of_regions(&[region], Some((&image, "w")), FLASH_BYTES)
        };
        assert_eq!(cut(0x10, 0x20).unwrap().range(), 0x18..0x20);
        assert_eq!(code(cut(0x800, 0x900)), "usage");
    }
}
