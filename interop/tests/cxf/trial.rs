//! What was tried, and what came of it.

use std::fmt;

/// Who calls whom: a column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pair {
    TheirDomClient,
    TheirStreamingClient,
    OurClientAtDom,
    OurClientAtStreaming,
    ThroughTerminate,
    ThroughInitiate,
    ThemselvesDom,
    ThemselvesStreaming,
}

impl Pair {
    pub(crate) const ALL: [Self; 8] = [
        Self::TheirDomClient,
        Self::TheirStreamingClient,
        Self::OurClientAtDom,
        Self::OurClientAtStreaming,
        Self::ThroughTerminate,
        Self::ThroughInitiate,
        Self::ThemselvesDom,
        Self::ThemselvesStreaming,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::TheirDomClient => "CXF client, DOM → Handstamp",
            Self::TheirStreamingClient => "CXF client, streaming → Handstamp",
            Self::OurClientAtDom => "Handstamp client → CXF, DOM",
            Self::OurClientAtStreaming => "Handstamp client → CXF, streaming",
            Self::ThroughTerminate => "CXF client, DOM → `terminate` → Python",
            Self::ThroughInitiate => "zeep, npm's soap, curl → `initiate` → CXF, DOM",
            Self::ThemselvesDom => "CXF client, DOM → CXF, DOM",
            Self::ThemselvesStreaming => "CXF client, streaming → CXF, DOM",
        }
    }

    /// Which of the peer's senders is the client.
    pub(crate) fn sender(self) -> Option<&'static str> {
        match self {
            Self::TheirDomClient | Self::ThroughTerminate | Self::ThemselvesDom => Some("dom"),
            Self::TheirStreamingClient | Self::ThemselvesStreaming => Some("streaming"),
            Self::OurClientAtDom | Self::OurClientAtStreaming | Self::ThroughInitiate => None,
        }
    }

    pub(crate) fn is_with_us(self) -> bool {
        !matches!(self, Self::ThemselvesDom | Self::ThemselvesStreaming)
    }
}

/// One thing that was tried.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) what: What,
    pub(crate) result: Result<(), String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Two calls in a session.
    Calls,
    /// A session established by the streaming sender, where that is to endorse; then two calls.
    Establishing,
    /// A call in a session that is cancelled after it.
    Cancel,
}

/// What a peer cannot do, as its own documents and source have it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    what: What,
    /// What is in the errors that come of it.
    saying: &'static [&'static str],
    /// For the reader of the table.
    pub(crate) reason: &'static str,
}

/// The error of a cancellation that a service of ours did not see.
pub(crate) const NOT_CANCELLED: &str = "the session was not cancelled";

pub(crate) const LIMITS: [Limit; 2] = [
    Limit {
        what: What::Establishing,
        saying: &[
            "Cannot load from object array because \"x509Certificates\" is null",
            "An error occurred when verifying security for the message.",
            "An incorrect X.509 Token Type is detected",
        ],
        reason: "Under a symmetric binding CXF's streaming sender does not endorse: it leaves the endorsing signature out, or, where \
                 keys are derived, fails before it sends anything. CXF's service refuses that as Handstamp does (last column), and \
                 CXF's own tests leave these endpoints out when streaming. So here the session is established by the DOM sender \
                 (`ws-security.enable.streaming.sct` is false), and its messages are streamed.",
    },
    Limit {
        what: What::Cancel,
        saying: &[NOT_CANCELLED],
        reason: "CXF's client sends its cancellation under the policy of the bootstrap, without a signature by the session's key. \
                 WS-SecureConversation demands proof of possession of that key; otherwise whoever saw an identifier could end \
                 the session. Handstamp refuses it (`BadContextToken`), CXF writes that to its log, and the call has succeeded all \
                 the same. CXF's own service accepts it.",
    },
];

impl Trial {
    pub(crate) fn calls(result: Result<(), String>) -> Self {
        Self { what: What::Calls, result }
    }

    pub(crate) fn establishing(result: Result<(), String>) -> Self {
        Self { what: What::Establishing, result }
    }

    pub(crate) fn cancel(result: Result<(), String>) -> Self {
        Self { what: What::Cancel, result }
    }

    /// The number of the limit of the peer's that it met.
    pub(crate) fn limit(&self) -> Option<usize> {
        let error = self.result.as_ref().err()?;
        let is_met = |limit: &Limit| limit.what == self.what && limit.saying.iter().any(|text| error.contains(text));
        LIMITS.iter().position(is_met).map(|index| index + 1)
    }
}

/// What was tried at an endpoint: a row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    cells: Vec<(Pair, Vec<Trial>)>,
}

impl Row {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, cells: Vec::new() }
    }

    pub(crate) fn add(&mut self, pair: Pair, trials: Vec<Trial>) {
        self.cells.push((pair, trials));
    }

    pub(crate) fn trials(&self) -> impl Iterator<Item = &Trial> {
        self.cells.iter().flat_map(|(_, trials)| trials)
    }

    /// What failed, and no limit of the peer's explains.
    pub(crate) fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for (pair, trials) in &self.cells {
            for trial in trials.iter().filter(|trial| trial.limit().is_none()) {
                if let Err(error) = &trial.result {
                    failures.push(format!("{}, {}, {:?}: {error}", self.name, pair.title(), trial.what));
                }
            }
        }
        failures
    }

    /// What the table says about a pair.
    pub(crate) fn cell(&self, pair: Pair) -> String {
        let Some((_, trials)) = self.cells.iter().find(|(known, _)| *known == pair) else { return "·".to_owned() };
        if trials.iter().any(|trial| trial.result.is_err() && trial.limit().is_none()) {
            return "FAILS".to_owned();
        }
        let mut limits: Vec<String> = trials.iter().filter_map(Trial::limit).map(|number| number.to_string()).collect();
        limits.dedup();
        if limits.is_empty() { "yes".to_owned() } else { format!("yes, but [{}]", limits.join("], [")) }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells: Vec<String> = Pair::ALL.iter().map(|pair| self.cell(*pair)).collect();
        write!(f, "{:<52} {}", self.name, cells.join(" | "))
    }
}
