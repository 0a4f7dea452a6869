//! What the log thread does for maintenance, between two groups.

use grepzilla_model::SeqNo;

use super::LogThread;
use crate::AppendError;
use crate::disk::Died;
use crate::shard::queue::{Cut, Request};

impl LogThread {
    /// Does them in order. Whoever asked may have gone away.
    pub(super) fn do_chores(&mut self, chores: Vec<Request>) -> Result<(), Died> {
        for chore in chores {
            match chore {
                Request::Cut(behind, answer) => {
                    let cut = self.cut(behind);
                    let died = cut.as_ref().err().cloned();
                    drop(answer.try_send(cut.map_err(AppendError::Died)));
                    died.map_or(Ok(()), Err)?;
                }
                Request::Trim(upto, answer) => {
                    let trimmed = self.log.trim(upto);
                    drop(answer.try_send(trimmed.clone().map_err(AppendError::Died)));
                    trimmed?;
                }
                Request::Append(_) | Request::StartEpoch(..) => unreachable!("no chores"),
            }
            self.publish();
        }
        Ok(())
    }

    /// Makes the log durable and closes the blocks of the hot tier.
    fn cut(&mut self, behind: SeqNo) -> Result<Cut, Died> {
        self.log.write()?;
        if !self.log.is_synced() {
            self.log.sync()?;
        }
        let last_of_batch = self.contents.cut();
        let keys = self.keys.after(behind);
        Ok(Cut { epoch: self.log.epoch(), upto: self.log.last_seq(), last_of_batch, keys })
    }
}
