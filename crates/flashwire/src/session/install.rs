//! Writing an image that comes along.

use super::{Job, Session, WriteOptions};
use crate::error::Error;
use crate::firmware::Bundled;
use crate::images::Firmware;
use crate::watch::Watcher;

impl Session {
    /// Plans the installation of an image that comes along: as [`plan_write`](Self::plan_write), after
    /// the chip has been [checked](Bundled::check).
    ///
    /// # Errors
    /// The image is not for this chip, or does not fit; as [`plan_write`](Self::plan_write).
    pub fn plan_install(
        &mut self,
        image: &Bundled,
        options: &WriteOptions,
        watcher: &mut dyn Watcher,
    ) -> Result<Job, Error> {
        let checked = image.check(&self.info());
        checked.map_err(|error| error.on(self.port.clone(), self.link.clone()))?;
        let firmware = Firmware::One(image.image()?);
        self.plan_write(&firmware, image.name, options, watcher)
    }
}
