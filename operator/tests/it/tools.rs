//! Where the tools are that these tests run: built by `make tools`, or named by the environment.

use std::path::PathBuf;

/// The path of a tool. It fails with a sentence where there is none: a test that is left out proves nothing.
pub(crate) fn tool(name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(format!("GREPZILLA_{}", name.to_uppercase().replace('-', "_"))) {
        return path.into();
    }
    let cache = std::env::var_os("GREPZILLA_CACHE").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into())).join(".cache/grepzilla"),
        PathBuf::from,
    );
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(cache.join("bin")).chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join(name)).find(|path| path.is_file()).unwrap_or_else(|| {
        panic!("{name} is needed and was found neither in the cache nor on PATH: run make tools");
    })
}
