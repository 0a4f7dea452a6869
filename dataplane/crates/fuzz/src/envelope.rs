//! The small JSON files of a replica's folder, given their checksum anew.

/// The text of such a file with the checksum of what it says, or as it is if it is not like one.
pub(crate) fn resealed(bytes: &[u8]) -> Vec<u8> {
    resealed_text(bytes).map_or_else(|| bytes.to_vec(), String::into_bytes)
}

fn resealed_text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (magic, rest) = text.strip_prefix("{\"magic\":\"")?.split_once("\",\"format\":")?;
    let (format, rest) = rest.split_once(",\"min_reader\":")?;
    let (min_reader, rest) = rest.split_once(",\"crc32\":\"")?;
    let (_, body) = rest.split_once("\",\"body\":")?;
    let body = body.strip_suffix("}\n")?;
    let crc = crc32fast::hash(format!("{magic} {format} {min_reader} {body}").as_bytes());
    Some(format!(
        "{{\"magic\":\"{magic}\",\"format\":{format},\"min_reader\":{min_reader},\"crc32\":\"{crc:08x}\",\"body\":{body}}}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_gets_the_checksum_that_its_reader_computes() {
        let drawn = "{\"magic\":\"grepzilla x.json\",\"format\":1,\"min_reader\":1,\"crc32\":\"b24fc7dc\",\"body\":[7,\"seven\"]}\n";
        assert_eq!(resealed(drawn.as_bytes()), drawn.as_bytes());
        assert_eq!(resealed(drawn.replace("b24fc7dc", "00000000").as_bytes()), drawn.as_bytes());
        assert_eq!(resealed(b"{}"), b"{}");
    }
}
