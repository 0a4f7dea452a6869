//! PostgreSQL with `pg_trgm`: a table of lines with a trigram index, on a server of its own in a temporary folder.
//!
//! Times are the server's own (`\timing`), without the start of `psql`. Its `fsync` stays on. A server does not run as
//! root, so there it runs as `nobody`.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use super::{Engine, Found, Load, folder_bytes};
use crate::corpus::Corpus;
use crate::needle::{Form, Needle};
use crate::process::processor_time_with_children;

/// The user and group `nobody` of Debian.
const NOBODY: u32 = 65_534;
/// How long the server may take to start.
const START_MAX: Duration = Duration::from_secs(30);
/// What Debian calls the folders of its programs.
const PROGRAMS: &str = "/usr/lib/postgresql";

/// A server.
pub(crate) struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    server: Child,
}

impl Postgres {
    /// Starts one; an error says what is missing.
    pub(crate) fn start() -> Result<Postgres> {
        let programs = newest_programs().context("PostgreSQL is not installed (Debian: postgresql)")?;
        let folder = tempfile::Builder::new().prefix("grepzilla-postgres-").tempdir()?;
        if rustix::process::geteuid().is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY))?;
        }
        let data = folder.path().join("data");
        let made = as_nobody(Command::new(programs.join("initdb")))
            .args(["--auth=trust", "--username=bench", "--encoding=UTF8", "--locale=C.UTF-8", "-D"])
            .arg(&data)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .output()?;
        ensure!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        let server = as_nobody(Command::new(programs.join("postgres")))
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses=", "-c", "shared_buffers=512MB", "-c", "work_mem=64MB"])
            .args(["-c", "maintenance_work_mem=512MB", "-c", "max_wal_size=4GB", "-c", "autovacuum=off"])
            .arg("-k")
            .arg(folder.path())
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let postgres = Postgres { programs, folder, server };
        postgres.wait_until_it_answers()?;
        Ok(postgres)
    }

    fn wait_until_it_answers(&self) -> Result<()> {
        let begun = Instant::now();
        while let Err(error) = self.ask("SELECT 1") {
            if begun.elapsed() > START_MAX {
                return Err(error.context("PostgreSQL does not start"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// What a statement answers, and the server's own time for the last one.
    fn ask(&self, statement: &str) -> Result<(String, Duration)> {
        let output = Command::new(self.programs.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--username=bench", "--dbname=postgres"])
            .arg("--host")
            .arg(self.folder.path())
            .args(["--set=ON_ERROR_STOP=1", "--command=\\timing on", "--command", statement])
            .stdin(Stdio::null())
            .output()
            .context("cannot run psql")?;
        ensure!(output.status.success(), "psql failed: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout)?;
        let (answer, time) = text.rsplit_once("Time: ").context("psql tells the time")?;
        let milliseconds: f64 = time.split(' ').next().unwrap_or_default().parse().context("a time in milliseconds")?;
        Ok((answer.trim().to_owned(), Duration::from_secs_f64(milliseconds / 1e3)))
    }
}

impl Engine for Postgres {
    fn name(&self) -> String {
        "PostgreSQL pg_trgm".to_owned()
    }

    fn load(&mut self, corpus: &Corpus) -> Result<Load> {
        let id = self.server.id();
        let (begun, used) = (Instant::now(), processor_time_with_children(id)?);
        self.ask("CREATE EXTENSION pg_trgm")?;
        self.ask("CREATE TABLE lines (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL)")?;
        // Control characters that no line has keep COPY from reading quotes and escapes into it.
        let copy = format!(
            "\\copy lines (body) FROM '{}' WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')",
            corpus.path().display()
        );
        self.ask(&copy)?;
        let sent = begun.elapsed();
        self.ask("CREATE INDEX lines_body ON lines USING gin (body gin_trgm_ops)")?;
        self.ask("VACUUM ANALYZE lines")?;
        self.ask("CHECKPOINT")?;
        let data = self.folder.path().join("data");
        let is_log = |path: &Path| path.parent().is_some_and(|folder| folder.ends_with("pg_wal"));
        Ok(Load {
            sent,
            settled: begun.elapsed(),
            processor: processor_time_with_children(id)? - used,
            store_bytes: folder_bytes(&data, &|path| !is_log(path))?,
            log_bytes: folder_bytes(&data, &is_log)?,
            parts: Vec::new(),
            state: "indexed, vacuumed".to_owned(),
        })
    }

    fn count(&mut self, needle: &Needle) -> Result<Option<Found>> {
        let (answer, took) = self.ask(&format!("SELECT count(*) FROM lines WHERE {}", condition(needle)))?;
        let count = answer.parse().with_context(|| format!("{answer} is not a count"))?;
        Ok(Some(Found::new(count, took)))
    }

    fn newest(&mut self, needle: &Needle) -> Result<Option<Found>> {
        let statement = format!("SELECT body FROM lines WHERE {} ORDER BY id DESC LIMIT 100", condition(needle));
        let (answer, took) = self.ask(&statement)?;
        Ok(Some(Found::new(answer.lines().count() as u64, took)))
    }

    fn peak_memory_mib(&self) -> Result<Option<f64>> {
        Ok(None)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT asks a server to stop at once and in order.
        let id = i32::try_from(self.server.id()).ok().and_then(rustix::process::Pid::from_raw);
        let asked = id.map(|id| rustix::process::kill_process(id, rustix::process::Signal::INT));
        if asked.is_none_or(|asked| asked.is_err()) || self.server.wait().is_err() {
            eprintln!("PostgreSQL could not be stopped");
        }
    }
}

fn condition(needle: &Needle) -> String {
    let quoted = |text: &str| text.replace('\'', "''");
    let (like, matches) = if needle.case_sensitive { ("LIKE", "~") } else { ("ILIKE", "~*") };
    match needle.form {
        Form::Contains => {
            let escaped = needle.text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            format!("body {like} '%{}%'", quoted(&escaped))
        }
        Form::Wildcard | Form::Regex => format!("body {matches} '{}'", quoted(&needle.as_regex())),
    }
}

fn as_nobody(mut command: Command) -> Command {
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn newest_programs() -> Result<PathBuf> {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(PROGRAMS)?.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    found.retain(|folder| folder.join("initdb").is_file());
    found.sort();
    let Some(newest) = found.pop() else { bail!("no initdb below {PROGRAMS}") };
    Ok(newest)
}
