//! Writing an image that comes along.

use flashwire_client::serprog;
use flashwire_link::Settings;

use super::{Job, Session, WriteOptions, open};
use crate::error::{Error, Problem};
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

    /// Asks what was installed and started who it is, over the port that it was installed through.
    /// `None` if it is not to be had there: it speaks over a USB of its own.
    ///
    /// # Errors
    /// It does not answer; the link failed.
    pub fn check_installed(&mut self, image: &Bundled) -> Result<Option<String>, Error> {
        let Some(baud) = image.baud else {
            return Ok(None);
        };
        let configured = self.clock.borrow_mut().configure(Settings::plain(baud));
        configured.map_err(|error| self.on_port(error))?;
        let link = open::wrapped(&self.clock, None, &self.cancel);
        let opened = serprog::Client::open(link, serprog::Options::default());
        let name = opened.and_then(|client| {
            let name = client.identity().name.as_ref();
            let name = name.map_or_else(String::new, |name| name.as_str().to_owned());
            client.close().map(|()| name)
        });
        name.map(Some).map_err(|error| {
            self.on_port(match error {
                serprog::Error::Link(error) => serprog::Error::Link(error).into(),
                source => Problem::FirmwareSilent {
                    name: image.name.to_owned(),
                    baud,
                    source,
                },
            })
        })
    }
}
