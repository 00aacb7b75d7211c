//! The client's side of a negotiation (SC §7).

use crate::error::Error;
use crate::negotiation::{LastAnswer, Leg, Transcript, is_last};
use crate::trust::{
    BinaryExchange, IssuedContext, Proof, RequestSecurityToken, RequestSecurityTokenResponse, key_length,
};
use handstamp_keys::tls::TlsRecords;
use handstamp_ws_security::{AlgorithmSuite, Generation, KeyEntropyMode};
use handstamp_xml::Element;

/// A negotiation that a client has begun.
#[derive(Debug)]
pub(crate) struct ClientNegotiation {
    generation: Generation,
    records: TlsRecords,
    transcript: Transcript,
    /// `Context`, which all messages of the negotiation repeat.
    context: String,
    /// In bits.
    key_size: u32,
    /// What the next message carries.
    outgoing: Vec<u8>,
    leg: Leg,
}

impl ClientNegotiation {
    /// Begins one. `context` is a fresh unique string.
    pub(crate) fn begin(
        generation: Generation,
        mut records: TlsRecords,
        context: String,
        key_size: u32,
    ) -> Result<Self, Error> {
        let outgoing = records.advance(&[])?;
        let transcript = Transcript::new();
        Ok(Self { generation, records, transcript, context, key_size, outgoing, leg: Leg::First })
    }

    /// The next message: its action and the content of its body.
    pub(crate) fn message(&mut self) -> Result<(&'static str, String), Error> {
        let exchange = BinaryExchange::tls(self.generation, std::mem::take(&mut self.outgoing));
        let body = match self.leg {
            Leg::First => RequestSecurityToken {
                context: Some(self.context.clone()),
                binary_exchange: Some(exchange),
                ..RequestSecurityToken::issue(self.generation, None, self.key_size)
            }
            .to_xml()?,
            Leg::Next => RequestSecurityTokenResponse {
                context: Some(self.context.clone()),
                binary_exchange: Some(exchange),
                ..RequestSecurityTokenResponse::new(self.generation)
            }
            .to_single_xml(false)?,
        };
        self.transcript.add_canonical(&body)?;
        let leg = std::mem::replace(&mut self.leg, Leg::Next);
        Ok((leg.action(self.generation), body))
    }

    /// Takes in the content of an answer. With the last one there is a context, with others more to [say](Self::message).
    pub(crate) fn receive(
        &mut self,
        answer: Element<'_>,
        suite: &AlgorithmSuite,
    ) -> Result<Option<IssuedContext>, Error> {
        if is_last(answer, self.generation) {
            return self.finish(answer, suite).map(Some);
        }
        let refused = |problem| Error::trust("SC 7.1", "RequestSecurityTokenResponse", problem);
        let response = RequestSecurityTokenResponse::parse_single(answer, self.generation)?;
        if response.context.as_deref() != Some(self.context.as_str()) {
            return Err(refused("its Context is that of another negotiation"));
        }
        self.transcript.add(answer)?;
        let exchange = response.binary_exchange.filter(|exchange| exchange.is_tls(self.generation));
        let exchange = exchange.ok_or_else(|| refused("it carries no records of TLS"))?;
        self.outgoing = self.records.advance(&exchange.octets)?;
        if self.outgoing.is_empty() {
            return Err(refused("its records lead nowhere"));
        }
        Ok(None)
    }

    fn finish(&mut self, answer: Element<'_>, suite: &AlgorithmSuite) -> Result<IssuedContext, Error> {
        let refused = |problem| Error::trust("SC 7.2", "RequestSecurityTokenResponse", problem);
        let last = LastAnswer::parse(answer, self.generation, &self.context)?;
        let response = &last.response;
        if response.token_type.as_deref().is_some_and(|said| said != self.generation.context_token_type()) {
            return Err(refused("its TokenType is not that of a security context token"));
        }
        let token = response.token.clone().ok_or_else(|| refused("it holds no token"))?;
        if token.context.generation != self.generation {
            return Err(refused("its token is not of the WS-SecureConversation that goes with its WS-Trust"));
        }
        if let Some(exchange) = &response.binary_exchange {
            let rest = exchange.is_tls(self.generation).then(|| self.records.advance(&exchange.octets)).transpose()?;
            if rest.is_none_or(|rest| !rest.is_empty()) {
                return Err(refused("its records are not the last ones of TLS"));
            }
        }
        let Some(Proof::TlsWrapped(record)) = &response.proof else {
            return Err(refused("it holds no key that TLS has wrapped"));
        };
        let length = key_length(response.key_size.or(Some(self.key_size)), suite)?;
        let key = self.records.open(record, length)?;
        let mut transcript = self.transcript.clone();
        transcript.add(last.element)?;
        last.check(transcript, &key)?;
        Ok(IssuedContext { token, key, lifetime: response.lifetime, entropy: KeyEntropyMode::Server })
    }
}
