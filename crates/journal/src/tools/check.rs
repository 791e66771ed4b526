//! Verifies all that a journal has on disk: headers, blocks, seals, footers, cursors, continuity.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::{Inspector, Listing, LogFiles, ToolError};
use crate::blocks::{Seen, Walked, walk};
use crate::cursor::CursorsError;
use crate::disk::{OpenMode, read_full};
use crate::entry::Entry;
use crate::format::{SEGMENT_HEADER_BYTES_MAX, SegmentHeader, TRAILER_BYTES, trailer_body_len};
use crate::recover::Readable;
use crate::report::Cause;
use crate::summary::{Part, Summary, Tally};

/// Findings that are told one by one; the rest is counted.
const FINDINGS_MAX: usize = 10_000;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// What a crash or a stranger leaves, and a journal copes with by itself.
    Note,
    /// Not verified: a key is missing, or a newer build is needed.
    Unchecked,
    /// Not what was written: records may be lost.
    Damage,
}

/// Something that an operator should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file.
    pub path: PathBuf,
    /// Where in the file.
    pub offset: Option<u64>,
    /// What it is.
    pub problem: String,
}

/// What a check verified and found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Check {
    /// Segments that were read to their end.
    pub segments: usize,
    /// Blocks whose checksums, seals and content are right.
    pub blocks: u64,
    /// Entries in them.
    pub entries: u64,
    /// Records in those.
    pub records: u64,
    /// What is not as it should be, at most 10,000.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub more: usize,
}

impl Check {
    /// The worst of all findings.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    fn add(&mut self, severity: Severity, path: &Path, problem: impl Into<String>) {
        self.add_at(severity, path, None, problem.into());
    }

    // Damage is never crowded out by what matters less.
    fn add_at(&mut self, severity: Severity, path: &Path, offset: Option<u64>, problem: String) {
        let finding = Finding { severity, path: path.to_path_buf(), offset, problem };
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
            return;
        }
        self.more += 1;
        let less = self.findings.iter_mut().find(|known| known.severity < severity);
        less.map(|known| *known = finding).unwrap_or_default();
    }
}

impl Inspector {
    /// Reads and verifies everything. Damage is a finding, not an error.
    pub fn check(&self) -> Result<Check, ToolError> {
        let listing = self.listing()?;
        let mut check = Check::default();
        for parked in listing.parked() {
            let severity = match parked.cause {
                Cause::Stranger => Severity::Note,
                Cause::Locked | Cause::Newer => Severity::Unchecked,
                Cause::Damaged => Severity::Damage,
            };
            check.add(severity, &parked.path, parked.reason.as_str());
        }
        let mut end = 0;
        for log in &listing.logs {
            let log_end = self.check_log(log, &mut check).map_err(self.failed())?;
            if log.sink.is_none() {
                end = log_end;
            }
        }
        self.check_cursors(&listing, end, &mut check);
        Ok(check)
    }

    // Says where the log ends.
    fn check_log(&self, log: &LogFiles, check: &mut Check) -> io::Result<u64> {
        for blank in &log.inventory.blank {
            check.add(Severity::Note, blank, "nothing was ever written to it");
        }
        let mut before: Option<(u64, u64)> = None;
        for (readable, bound) in log.segments() {
            let walked = match self.check_segment(readable, bound, check) {
                // Deleted meanwhile, because all of it is settled.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                walked => walked?,
            };
            let header = &readable.header;
            if let Some((id, end)) = before
                && end < header.previous_end
                && !log
                    .inventory
                    .locked
                    .iter()
                    .any(|(_, locked)| (id..header.id).contains(&locked.id))
            {
                let lost =
                    format!("records {end} to {} before it are missing", header.previous_end - 1);
                check.add(Severity::Damage, &readable.path, lost);
            }
            let end = walked.footer.map_or(walked.end, |footer| footer.end.min(bound));
            before = Some((header.id, end.max(header.first)));
        }
        Ok(before.map_or(0, |(_, end)| end))
    }

    fn check_segment(
        &self,
        readable: &Readable,
        bound: u64,
        check: &mut Check,
    ) -> io::Result<Walked> {
        let path = &readable.path;
        let (mut summary, mut damaged) = (Summary::default(), 0);
        let walked = walk(&self.env, readable, bound, &mut |seen| {
            match seen {
                Seen::Damage(offset) => {
                    damaged += 1;
                    let problem = "a block here is not what was written".into();
                    check.add_at(Severity::Damage, path, Some(offset), problem);
                }
                Seen::Entries(_, entries) => check.count(&entries, &mut summary),
            }
            ControlFlow::Continue(())
        })?;
        check.segments += 1;
        self.check_headers(readable, check)?;
        match &walked.footer {
            Some(footer) if damaged == 0 => {
                let counted = |of: &Summary| -> Vec<_> {
                    of.rows().map(|(bit, lane, tally)| (bit, lane, tally.records)).collect()
                };
                let right = footer.end.min(bound) == walked.end.max(readable.header.first)
                    && counted(&footer.summary) == counted(&summary);
                if !right {
                    check.add(
                        Severity::Damage,
                        path,
                        "its footer counts other records than it has",
                    );
                }
            }
            None if self.has_trailer(path, walked.file_bytes)? => {
                check.add(Severity::Damage, path, "its footer is not what was written");
            }
            None if walked.torn_bytes > 0 => {
                let torn = format!("{} bytes at its end are no complete block", walked.torn_bytes);
                check.add_at(Severity::Note, path, Some(walked.data_end), torn);
            }
            _ => {}
        }
        Ok(walked)
    }

    fn check_headers(&self, readable: &Readable, check: &mut Check) -> io::Result<()> {
        let file = self.env.disk.open(&readable.path, OpenMode::Read)?;
        let mut bytes = vec![0; SEGMENT_HEADER_BYTES_MAX];
        for copy in [0, SEGMENT_HEADER_BYTES_MAX as u64] {
            let count = read_full(&*file, copy, &mut bytes).unwrap_or_default();
            let header = SegmentHeader::decode(bytes.get(..count).unwrap_or_default());
            if header.as_ref() != Ok(&readable.header) {
                let problem = "a copy of its header is not what was written; the other serves";
                check.add_at(Severity::Damage, &readable.path, Some(copy), problem.into());
            }
        }
        Ok(())
    }

    fn has_trailer(&self, path: &Path, file_bytes: u64) -> io::Result<bool> {
        let file = self.env.disk.open(path, OpenMode::Read)?;
        let mut bytes = [0; TRAILER_BYTES];
        let count = read_full(&*file, file_bytes.saturating_sub(TRAILER_BYTES as u64), &mut bytes)?;
        Ok(trailer_body_len(bytes.get(..count).unwrap_or_default()).is_some())
    }

    fn check_cursors(&self, listing: &Listing, end: u64, check: &mut Check) {
        let path = self.dir.join("cursors");
        match &listing.cursors {
            Some(CursorsError::Io(error)) => {
                check.add(Severity::Damage, &path, error.to_string());
            }
            Some(CursorsError::Version(version)) => {
                let problem = format!("it has version {version}, which a newer build wrote");
                check.add(Severity::Unchecked, &path, problem);
            }
            Some(CursorsError::Locked(reason)) => {
                check.add(Severity::Unchecked, &path, reason.as_str());
            }
            None => {}
        }
        let areas = &listing.areas;
        if areas.header_damaged {
            check.add(Severity::Damage, &path, "its header is not what was written");
        }
        if areas.damaged > 0 {
            let problem = format!("{} of its areas have no slot that can be read", areas.damaged);
            check.add(Severity::Damage, &path, problem);
        }
        if areas.incarnation.is_some_and(|of| of != listing.incarnation) {
            check.add(Severity::Note, &path, "it belongs to another journal");
            return;
        }
        for saved in areas.all().filter(|saved| !saved.id.starts_with("dead/")) {
            let low = saved.lanes.iter().map(|lane| lane.low).max().unwrap_or_default();
            if low > end.max(saved.floor) {
                let problem =
                    format!("the cursor of {} is ahead of all that was written", saved.id);
                check.add(Severity::Damage, &path, problem);
            }
        }
    }
}

impl Check {
    fn count(&mut self, entries: &[Entry], summary: &mut Summary) {
        self.blocks += 1;
        self.entries += entries.len() as u64;
        for entry in entries {
            let tally = Tally { records: u64::from(entry.items), bytes: entry.bytes() };
            self.records += tally.records;
            summary.add(&Part { routes: entry.routes, lane: entry.lane, tally });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_told_however_much_else_there_is_and_the_rest_is_counted() {
        let mut check = Check::default();
        let path = Path::new("/j/main/1.segment");
        for _ in 0..FINDINGS_MAX {
            check.add(Severity::Note, path, "torn");
        }
        assert_eq!((check.findings.len(), check.more), (FINDINGS_MAX, 0));
        check.add(Severity::Note, path, "torn");
        assert_eq!(check.worst(), Some(Severity::Note));
        check.add(Severity::Damage, path, "damaged");
        assert_eq!((check.findings.len(), check.more), (FINDINGS_MAX, 2));
        let damaged = check.findings.iter().filter(|one| one.severity == Severity::Damage);
        assert_eq!(damaged.count(), 1);
    }
}
