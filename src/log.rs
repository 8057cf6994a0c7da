//! The log: levels, a rotating folder, a tap for the software's own log; secrets are blotted out before anything leaves.

use crate::error::{Code, Error, Result};
use chrono::Local;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Level {
    /// Something was lost or cannot work.
    Error = 1,
    /// Something is wrong, and dealt with.
    Warn = 2,
    /// What a field engineer wants to read.
    Info = 3,
    /// What a developer wants to read.
    Debug = 4,
    /// Every message on the wire.
    Trace = 5,
}

impl Level {
    /// The name in options and lines.
    pub fn name(self) -> &'static str {
        ["", "error", "warn", "info", "debug", "trace"][self as usize]
    }

    /// The level of that name.
    pub fn parse(name: &str) -> Option<Level> {
        [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace]
            .into_iter()
            .find(|level| level.name() == name)
    }
}

/// Takes finished lines; called without a lock that a callback could need.
pub type Tap = Box<dyn Fn(Level, String) + Send + Sync>;

/// One log a handle.
pub struct Log {
    level: Level,
    secrets: RwLock<Vec<String>>,
    tap: RwLock<Option<Tap>>,
    folder: Option<Mutex<Folder>>,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("level", &self.level).finish_non_exhaustive()
    }
}

impl Log {
    /// A log without a folder.
    pub fn new(level: Level) -> Self {
        Log { level, secrets: RwLock::default(), tap: RwLock::default(), folder: None }
    }

    /// Writes into `dir` too: `parklink.log`, and when that reaches `max_bytes` the older `parklink.1.log` … up to
    /// `files` of them.
    pub fn with_folder(mut self, dir: &Path, max_bytes: u64, files: u32) -> Result<Self> {
        let folder = Folder::open(dir, max_bytes, files).map_err(|error| {
            Error::new(
                Code::Io,
                format!("log.dir: cannot write into {}: {error}; make the folder writable", dir.display()),
            )
        })?;
        self.folder = Some(Mutex::new(folder));
        Ok(self)
    }

    /// From now on this text appears in no line.
    pub fn protect(&self, secret: &str) {
        if secret.len() < 4 {
            return;
        }
        let mut secrets = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        if !secrets.iter().any(|known| known == secret) {
            // Tokens come and go; the last ones are enough, the keys at the front stay. In messages they are blotted out by
            // their names; here they are known for where somebody's words repeat one.
            if secrets.len() >= 32 {
                secrets.remove(8);
            }
            secrets.push(secret.to_owned());
        }
    }

    /// The text without secrets.
    pub fn clean(&self, text: &str) -> String {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        secrets.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(secret.as_str()) { text.replace(secret.as_str(), "***") } else { text }
        })
    }

    /// Sets or removes the tap.
    pub fn set_tap(&self, tap: Option<Tap>) {
        *self.tap.write().unwrap_or_else(PoisonError::into_inner) = tap;
    }

    /// Whether a line of this level goes anywhere.
    #[inline]
    pub fn is_on(&self, level: Level) -> bool {
        level <= self.level && self.is_heard()
    }

    fn is_heard(&self) -> bool {
        self.folder.is_some() || self.tap.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Writes a line.
    #[inline]
    pub fn write(&self, level: Level, text: fmt::Arguments<'_>) {
        if self.is_on(level) {
            self.put(level, text);
        }
    }

    #[cold]
    fn put(&self, level: Level, text: fmt::Arguments<'_>) {
        let text = self.clean(&text.to_string()).replace(['\r', '\n'], " ");
        let line = format!("{} {:5} {text}", Local::now().format("%Y-%m-%d %H:%M:%S%.3f"), level.name());
        if let Some(folder) = &self.folder {
            folder.lock().unwrap_or_else(PoisonError::into_inner).append(&line);
        }
        if let Some(tap) = self.tap.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            tap(level, line);
        }
    }

    /// A line of level error.
    #[inline]
    pub fn error(&self, text: fmt::Arguments<'_>) {
        self.write(Level::Error, text);
    }

    /// A line of level warn.
    #[inline]
    pub fn warn(&self, text: fmt::Arguments<'_>) {
        self.write(Level::Warn, text);
    }

    /// A line of level info.
    #[inline]
    pub fn info(&self, text: fmt::Arguments<'_>) {
        self.write(Level::Info, text);
    }

    /// A line of level debug.
    #[inline]
    pub fn debug(&self, text: fmt::Arguments<'_>) {
        self.write(Level::Debug, text);
    }

    /// A line of level trace.
    #[inline]
    pub fn trace(&self, text: fmt::Arguments<'_>) {
        self.write(Level::Trace, text);
    }
}

/// The rotating folder. A full disk loses lines, never the work of the caller. Others may write into the same one: another
/// lot of this program, another program.
struct Folder {
    dir: PathBuf,
    file: Option<File>,
    /// How long the file is when nobody else has written.
    size: u64,
    max_bytes: u64,
    files: u32,
}

impl Folder {
    fn open(dir: &Path, max_bytes: u64, files: u32) -> std::io::Result<Self> {
        fs::create_dir_all(dir)?;
        let mut folder = Folder { dir: dir.to_owned(), file: None, size: 0, max_bytes, files };
        folder.reopen()?;
        Ok(folder)
    }

    fn name(&self, number: u32) -> PathBuf {
        if number == 0 { self.dir.join("parklink.log") } else { self.dir.join(format!("parklink.{number}.log")) }
    }

    fn reopen(&mut self) -> std::io::Result<()> {
        let file = OpenOptions::new().create(true).append(true).open(self.name(0))?;
        self.size = file.metadata()?.len();
        self.file = Some(file);
        Ok(())
    }

    /// How long the file of that name is.
    fn length(&self) -> u64 {
        fs::metadata(self.name(0)).map_or(0, |file| file.len())
    }

    fn put_aside(&self) {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        if self.length() < self.max_bytes {
            return;
        }
        for number in (0..self.files).rev() {
            let _ = fs::rename(self.name(number), self.name(number + 1));
        }
        let _ = fs::remove_file(self.name(self.files));
    }

    fn append(&mut self, line: &str) {
        let length = self.length();
        if length != self.size {
            // Ours may have been put aside, and be deleted next.
            self.file = None;
        }
        if length >= self.max_bytes {
            self.file = None;
            self.put_aside();
        }
        if self.file.is_none() && self.reopen().is_err() {
            return;
        }
        if let Some(file) = &mut self.file {
            // In one piece, so that no other's line comes in between.
            match file.write_all(format!("{line}\n").as_bytes()) {
                Ok(()) => self.size += line.len() as u64 + 1,
                Err(_) => self.file = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: u32 = 3;

    /// An empty folder of that name, of its own to this process.
    fn folder(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("parklink-log-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        dir
    }

    fn log(dir: &Path) -> Log {
        Log::new(Level::Info).with_folder(dir, 1000, FILES).unwrap()
    }

    fn written(dir: &Path) -> Vec<String> {
        let files = fs::read_dir(dir).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
        files.collect()
    }

    #[test]
    fn who_shares_a_folder_writes_into_its_files_also_when_another_has_put_them_aside() {
        let dir = folder("shared");
        let (busy, quiet) = (log(&dir), log(&dir));
        quiet.info(format_args!("quiet 0"));
        for round in 1..=20 {
            (0..10).for_each(|number| busy.info(format_args!("busy {round} {number}, a line of some length")));
            quiet.info(format_args!("quiet {round}"));
            let files = written(&dir);
            assert!(files.iter().any(|text| text.contains(&format!("quiet {round}\n"))), "{round}: lost");
            assert!(files.len() <= FILES as usize + 1);
        }
        // None was put aside before it was full.
        let short = written(&dir).iter().filter(|text| text.len() < 1000).count();
        assert!(short <= 1, "{short} of {FILES} are short");
        let _ = fs::remove_dir_all(&dir);
    }
}
