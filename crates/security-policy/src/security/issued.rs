//! `issuedTokenParameters` (SC 14.8).

use super::read::word;
use super::words::{KEY_TYPES, word_of};
use crate::error::Error;
use crate::markup::Markup;
use crate::reader::{Reader, error_at};
use handstamp_ws_security::{ClaimTypeRequirement, IssuedKeyType, IssuedTokenParameters, MessageSecurityVersion};
use handstamp_xml::{Element, c14n};

/// `issuedTokenParameters` (SC 14.8).
pub(super) fn read(element: Element<'_>) -> Result<IssuedTokenParameters, Error> {
    let mut reader = Reader::new(element);
    reader.word("defaultMessageSecurityVersion", MessageSecurityVersion::from_name, "a message security version")?;
    let key_size = reader.number("keySize", 0..=i32::MAX as u64)?.filter(|size| *size != 0);
    let key_type = key_type(&mut reader, "keyType")?;
    let token_type = reader.text("tokenType").filter(|uri| !uri.is_empty()).map(str::to_owned);
    let use_str_transform = reader.bool("useStrTransform")?.unwrap_or_default();
    let key_size = key_size.and_then(|size| u32::try_from(size).ok());
    let mut parameters =
        IssuedTokenParameters { key_type, token_type, key_size, use_str_transform, ..Default::default() };
    for child in
        reader.children(&["additionalRequestParameters", "claimTypeRequirements", "issuer", "issuerMetadata"])?
    {
        match child.local_name() {
            "additionalRequestParameters" => parameters.additional = child.children().map(standalone).collect(),
            "claimTypeRequirements" => parameters.claim_types = claim_types(child)?,
            "issuer" => parameters.issuer = issuer(child)?,
            _ => issuer_metadata(child)?,
        }
    }
    reader.finish()?;
    Ok(parameters)
}

/// `keyType`, or what it is called elsewhere.
pub(crate) fn key_type(reader: &mut Reader<'_>, name: &'static str) -> Result<IssuedKeyType, Error> {
    Ok(word(reader, name, KEY_TYPES)?.unwrap_or_default())
}

/// `issuer`. How the client talks to it, `binding` and `bindingConfiguration`, is its own business.
pub(crate) fn issuer(element: Element<'_>) -> Result<Option<String>, Error> {
    let mut reader = Reader::new(element);
    let address = reader.text("address").filter(|uri| !uri.is_empty()).map(str::to_owned);
    reader.text("binding");
    reader.text("bindingConfiguration");
    reader.children(&["headers", "identity"])?;
    reader.finish()?;
    Ok(address)
}

/// `issuerMetadata`: where tools look the token service up.
fn issuer_metadata(element: Element<'_>) -> Result<(), Error> {
    let mut reader = Reader::new(element);
    reader.text("address");
    reader.children(&["headers", "identity"])?;
    reader.finish()
}

/// `claimTypeRequirements`, a collection of .NET: what stands first can be taken back.
pub(crate) fn claim_types(element: Element<'_>) -> Result<Vec<ClaimTypeRequirement>, Error> {
    let mut claims: Vec<ClaimTypeRequirement> = Vec::new();
    for child in element.children() {
        let mut reader = Reader::new(child);
        let claim_type = reader.text("claimType").filter(|uri| !uri.is_empty());
        let needed = claim_type.ok_or_else(|| {
            reader.error(format!("<{}> of <claimTypeRequirements> needs a claimType", child.local_name()))
        });
        match child.local_name() {
            "add" => {
                let is_optional = reader.bool("isOptional")?.unwrap_or_default();
                claims.push(ClaimTypeRequirement { claim_type: needed?.to_owned(), is_optional });
            }
            "remove" => {
                let removed = needed?;
                claims.retain(|claim| claim.claim_type != removed);
            }
            "clear" => claims.clear(),
            _ => {
                let problem =
                    "<claimTypeRequirements> holds <add claimType=\"…\"/>, <remove> and <clear/>, and nothing else";
                return Err(error_at(child, problem));
            }
        }
        reader.finish()?;
    }
    Ok(claims)
}

/// An element as canonical XML that stands on its own.
pub(crate) fn standalone(element: Element<'_>) -> String {
    let mut out = Vec::new();
    c14n::canonicalize(element, &c14n::Method::exclusive(), None, &mut out);
    // The source is text, and canonicalization cuts no characters.
    String::from_utf8(out).unwrap_or_default()
}

pub(super) fn write(issued: &IssuedTokenParameters, out: &mut Markup) {
    let default = IssuedTokenParameters::default();
    if *issued == default {
        return;
    }
    out.start("issuedTokenParameters");
    let size = |issued: &IssuedTokenParameters| u64::from(issued.key_size.unwrap_or_default());
    out.attribute_unless(&size(&default), "keySize", &size(issued));
    if issued.key_type != default.key_type
        && let Some(word) = word_of(KEY_TYPES, &issued.key_type)
    {
        out.attribute("keyType", &word);
    }
    out.attribute("tokenType", &issued.token_type);
    out.attribute_unless(&default.use_str_transform, "useStrTransform", &issued.use_str_transform);
    if !issued.additional.is_empty() {
        out.start("additionalRequestParameters");
        issued.additional.iter().for_each(|element| out.fragment(element));
        out.end();
    }
    if !issued.claim_types.is_empty() {
        out.start("claimTypeRequirements");
        for claim in &issued.claim_types {
            out.start("add");
            out.attribute("claimType", &Some(claim.claim_type.clone()));
            out.attribute_unless(&false, "isOptional", &claim.is_optional);
            out.end();
        }
        out.end();
    }
    if issued.issuer.is_some() {
        out.start("issuer");
        out.attribute("address", &issued.issuer);
        out.end();
    }
    out.end();
}
