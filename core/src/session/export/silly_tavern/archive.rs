//! A ZIP archive that goes out while it is written: nothing of it is held but what waits to go.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use chrono::{DateTime, Datelike, Timelike, Utc};
use zip::{
    ZipWriter,
    write::{SimpleFileOptions, StreamWriter},
};

/// Above this a file might have 4 GiB once it is written, which its head has to say before.
const LARGE: u64 = 512 * 1024 * 1024;

/// An archive that is being written.
pub(super) struct Archive {
    zip: ZipWriter<StreamWriter<Waiting>>,
    waiting: Waiting,
}

/// What was written and has not gone out.
#[derive(Clone, Default)]
struct Waiting(Arc<Mutex<Vec<u8>>>);

impl Waiting {
    fn with<T>(&self, work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Waiting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|waiting| waiting.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Archive {
    pub(super) fn new() -> Self {
        let waiting = Waiting::default();
        Self { zip: ZipWriter::new_stream(waiting.clone()), waiting }
    }

    /// Begins a file of about so many bytes, last changed at this moment.
    pub(super) fn begin(&mut self, name: &str, bytes: u64, at: DateTime<Utc>) -> io::Result<()> {
        let options = SimpleFileOptions::default().large_file(bytes > LARGE);
        let options = options.last_modified_time(moment(at).unwrap_or_default());
        Ok(self.zip.start_file(name, options)?)
    }

    /// Writes to the file that was begun last.
    pub(super) fn write(&mut self, text: &str) -> io::Result<()> {
        self.zip.write_all(text.as_bytes())
    }

    /// What is ready to go out, if it is this much.
    pub(super) fn take(&self, least: usize) -> Option<Bytes> {
        self.waiting
            .with(|waiting| (waiting.len() >= least).then(|| std::mem::take(waiting).into()))
    }

    /// The rest of it.
    pub(super) fn finish(self) -> io::Result<Bytes> {
        let Self { zip, waiting } = self;
        zip.finish()?;
        Ok(waiting.with(std::mem::take).into())
    }
}

/// The moment as archives keep it: from 1980 on, without a time zone.
fn moment(at: DateTime<Utc>) -> Option<zip::DateTime> {
    let year = u16::try_from(at.year()).ok()?;
    let part = |number: u32| u8::try_from(number).ok();
    let (month, day) = (part(at.month())?, part(at.day())?);
    let (hour, minute, second) = (part(at.hour())?, part(at.minute())?, part(at.second())?);
    zip::DateTime::from_date_and_time(year, month, day, hour, minute, second).ok()
}
