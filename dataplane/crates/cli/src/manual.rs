//! `gz completions` and `gz man`: what a shell and `man` want to know, made from the command line itself.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::{Arguments, Outcome};

/// Print a script that completes commands, options and their values.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  source <(gz completions bash)
  gz completions zsh > ~/.zfunc/_gz       with ~/.zfunc in fpath
  gz completions fish > ~/.config/fish/completions/gz.fish")]
pub(crate) struct CompletionsArguments {
    /// For which shell
    shell: Shell,
}

/// Write manual pages: one for gz and one for each command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  gz man ~/.local/share/man/man1
  man gz-search")]
pub(crate) struct ManArguments {
    /// A folder; it is made if it is not there
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Runs `gz completions`.
pub(crate) fn completions(arguments: &CompletionsArguments) -> Result<Outcome> {
    // In memory first: the generator panics where it cannot write, and the reader may have gone.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "gz", &mut script);
    let mut out = std::io::stdout().lock();
    out.write_all(&script)?;
    out.flush()?;
    Ok(Outcome::Yes)
}

/// Runs `gz man`.
pub(crate) fn man(arguments: &ManArguments) -> Result<Outcome> {
    let dir = &arguments.dir;
    std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Arguments::command(), dir))
        .with_context(|| format!("cannot write to {}", dir.display()))?;
    Ok(Outcome::Yes)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn the_script_of_every_shell_names_every_command() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "gz", &mut script);
            let script = String::from_utf8(script).expect("text");
            for command in Arguments::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
        }
    }

    #[test]
    fn there_is_a_manual_page_for_every_command_and_it_holds_the_examples() {
        let dir = tempfile::tempdir().expect("a folder");
        let pages = dir.path().join("man1");
        man(&ManArguments { dir: pages.clone() }).expect("written");
        let page = |name: String| std::fs::read_to_string(pages.join(&name)).expect(&name);
        let main = page("gz.1".to_owned());
        for command in Arguments::command().get_subcommands() {
            let name = command.get_name();
            assert!(main.contains(&format!("gz\\-{name}(1)")), "{name}");
            assert!(page(format!("gz-{name}.1")).contains(name), "{name}");
        }
        assert!(page("gz-inspect-wal.1".to_owned()).contains("gz inspect wal \\-\\-records"));
    }
}
