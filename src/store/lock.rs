//! The lock on a store: one process, one handle.

use super::file::{of_io, private, with_suffix};
use crate::error::{Code, Error, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

/// A lock that is held.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Takes it, or tells who has it.
    pub fn take(path: &Path) -> Result<Lock> {
        let name = with_suffix(path, ".lock");
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        private(&mut options);
        let mut file = options.open(&name).map_err(|error| of_io(&error, &name))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let message = format!(
                    "store.dir: {} is open in another process or handle ({}); give each its own folder",
                    path.display(),
                    holder.trim()
                );
                return Err(Error::new(Code::StoreLocked, message));
            }
            Err(TryLockError::Error(error)) => return Err(of_io(&error, &name)),
        }
        // For people only: who holds it.
        let _ = file.set_len(0);
        let _ = write!(file, "process {}", std::process::id());
        Ok(Lock(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A process that was forked off has the file open too, and would keep the lock.
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_process_that_was_forked_off_keeps_no_store_locked() {
        let folder = std::env::temp_dir().join(format!("parklink-forked-{}", std::process::id()));
        let path = folder.join("parklink-1.db");
        fs::create_dir_all(&folder).unwrap();
        let lock = Lock::take(&path).unwrap();
        // What a fork leaves behind.
        let inherited = lock.0.try_clone().unwrap();
        assert_eq!(Lock::take(&path).unwrap_err().code, Code::StoreLocked);
        drop(lock);
        assert!(Lock::take(&path).is_ok());
        drop(inherited);
        fs::remove_dir_all(folder).unwrap();
    }
}
