//! Options of sign-in and session: issuers and relying parties.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use handstamp_claims::ArcStr;
use toml::Spanned;
use toml::de::DeValue;

use super::findings::{FindingKind, Reader};
use super::schema::{Value, choice, section};
use super::sts::ClaimRules;
use super::values::{HttpUrl, PathPrefix};
use super::web::ClaimHeaders;
use super::wif::Wif;

section! {
    /// A security token service whose tokens are accepted.
    pub struct Issuer {
        /// Name for people, where they choose among several issuers; that of the table when absent.
        display_name: Option<String>,
        /// What the issuer calls itself: the `entityID` of its metadata and the `Issuer` of its tokens. When given, both must say so to
        /// the letter. Needed when its metadata is a file of several issuers.
        entity_id: Option<String>,
        /// Where people are sent to sign in; needed unless `metadata` says it.
        sign_in_url: Option<HttpUrl>,
        /// Address of the issuer's federation metadata: keys and `sign_in_url` come from there, and stay up to date.
        metadata: Option<HttpUrl>,
        /// Certificates, by SHA-256 fingerprint, of which one must have signed the metadata. When empty, https proves it.
        metadata_signers: Vec<String> = [],
        /// Authorities (PEM) that the certificate of the metadata's server must come from; those of the system when empty.
        metadata_authorities: Vec<PathBuf> = [],
        /// File that keeps the last good metadata, for starts while the issuer is away.
        metadata_cache: Option<PathBuf>,
        /// How often metadata is fetched. A token with an unknown key makes us look at once, too.
        metadata_refresh: Duration = "12h",
        /// Identity provider behind the issuer to which people are sent on (`whr`); that of the federation when absent.
        home_realm: Option<String>,
        /// Identity providers behind the issuer that an address may name with `whr`, which is then passed on to it.
        home_realms: Vec<String> = [],
        /// Name that claims from this issuer carry; when absent, the entity id of its metadata, else the subject of the
        /// certificate.
        name: Option<String>,
        /// Signing certificates, as PEM or DER files. A token must be signed with one of exactly these.
        certificates: Vec<PathBuf> = [],
        /// Authorities (PEM) that vouch for signing certificates: one that chains to them is trusted when it is about one of
        /// `subjects` and may sign. Intermediate certificates that tokens do not carry belong here, too. Revocation lists are not asked.
        authorities: Vec<PathBuf> = [],
        /// Subjects of the signing certificates that `authorities` vouch for, to the letter, such as `CN=sts.example,O=Example,C=US`.
        subjects: Vec<String> = [],
        /// Signing certificates by SHA-256 fingerprint, as hexadecimal.
        fingerprints: Vec<String> = [],
        /// Signing certificates by SHA-1 thumbprint, as hexadecimal: for settings taken over from WIF.
        thumbprints: Vec<String> = [],
        /// The issuer's sign-out from server to server, for relying parties with `back_channel`.
        logout_tokens: Option<LogoutTokens>,
    }
}

impl Issuer {
    /// The files that say whom to believe: when one changes, it is read again.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let keys = self.logout_tokens.as_ref().and_then(|tokens| tokens.keys.as_ref());
        self.certificates.iter().chain(&self.authorities).chain(keys).map(PathBuf::as_path)
    }

    /// Whether the configuration itself says whose signatures count.
    pub fn is_pinned(&self) -> bool {
        let nobody = self.certificates.is_empty()
            && self.fingerprints.is_empty()
            && self.thumbprints.is_empty()
            && self.authorities.is_empty();
        !nobody
    }

    /// Reports what is missing, and what does not fit together.
    pub(super) fn check(&self, path: &str, reader: &mut Reader) {
        if !self.is_pinned() && self.metadata.is_none() {
            let message =
                "is not trusted: give its metadata, name its signing certificate in certificates, or give fingerprints";
            reader.report(FindingKind::Missing, path, message);
        }
        if !self.authorities.is_empty() && self.subjects.is_empty() {
            let message = "is required with authorities, or whoever has a certificate of theirs could be the issuer: name the \
                           subject of its signing certificate, such as \"CN=sts.example,O=Example,C=US\"";
            reader.report(FindingKind::Missing, &format!("{path}.subjects"), message);
        }
        if self.authorities.is_empty() && !self.subjects.is_empty() {
            let message = "means nothing without authorities: name theirs there";
            reader.report(FindingKind::Conflict, &format!("{path}.subjects"), message);
        }
        if self.sign_in_url.is_none() && self.metadata.is_none() {
            let message = "is required without metadata: give the address where people sign in";
            reader.report(FindingKind::Missing, &format!("{path}.sign_in_url"), message);
        }
        match &self.metadata {
            Some(url) if !url.is_https() && !url.is_loopback() => {
                let message = format!("{url} is not https: anybody on the way could become the issuer");
                reader.report(FindingKind::Conflict, &format!("{path}.metadata"), message);
            }
            Some(_) => {}
            None => {
                for (key, given) in [
                    ("metadata_signers", !self.metadata_signers.is_empty()),
                    ("metadata_authorities", !self.metadata_authorities.is_empty()),
                    ("metadata_cache", self.metadata_cache.is_some()),
                ] {
                    if given {
                        reader.report(
                            FindingKind::Conflict,
                            &format!("{path}.{key}"),
                            "means nothing without metadata",
                        );
                    }
                }
            }
        }
        if let Some(tokens) = &self.logout_tokens {
            tokens.check(&format!("{path}.logout_tokens"), reader);
            if self.name.is_none() {
                let message = "is required with logout_tokens: set the name under which claims know the issuer's users";
                reader.report(FindingKind::Missing, &format!("{path}.name"), message);
            }
        }
        if self.metadata_refresh < Duration::from_secs(60) {
            reader.report(FindingKind::Value, &format!("{path}.metadata_refresh"), "must be at least \"1m\"");
        }
        for (key, digits, values) in [
            ("fingerprints", 64, &self.fingerprints),
            ("thumbprints", 40, &self.thumbprints),
            ("metadata_signers", 64, &self.metadata_signers),
        ] {
            for (index, value) in values.iter().enumerate() {
                let hex = value.bytes().filter(u8::is_ascii_hexdigit).count();
                let clean = value.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':' || byte == b' ');
                if hex != digits || !clean {
                    let message = format!("must be {digits} hexadecimal digits");
                    reader.report(FindingKind::Value, &format!("{path}.{key}[{index}]"), message);
                }
            }
        }
    }
}

/// The issuers of a relying party, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerNames(Vec<String>);

impl IssuerNames {
    /// The names; at least one, each once.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl Value for IssuerNames {
    fn kind() -> Cow<'static, str> {
        Cow::Borrowed("text, or list of text")
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        let names = match value.get_ref() {
            DeValue::Array(_) => Vec::<String>::read(value, path, reader)?,
            _ => vec![String::read(value, path, reader)?],
        };
        let repeated =
            names.iter().enumerate().any(|(index, name)| names.iter().take(index).any(|other| other == name));
        if names.is_empty() || repeated || names.len() > MAX_ISSUERS {
            let message = format!("must name from 1 to {MAX_ISSUERS} issuers, each once");
            reader.report(FindingKind::Value, path, message);
            return None;
        }
        Some(Self(names))
    }
}

/// More than people can choose from.
const MAX_ISSUERS: usize = 32;

section! {
    /// A relying party: one sign-in and one session, shared by any number of web routes.
    pub struct Federation {
        /// Our identifier at the issuer (`wtrealm`): an absolute URI.
        realm: String,
        /// The issuer, by name, or a list of several, of which people choose one; may be left out when there is exactly one.
        issuer: Option<IssuerNames>,
        /// How long a browser remembers the issuer that somebody chose, and goes there without asking; `0s` asks every time.
        remember_issuer: Duration = "30d",
        /// The address of the site as browsers see it, such as `https://shop.example`; answers from
        /// the issuer come back here. Scheme and host of the realm when absent.
        public_url: Option<HttpUrl>,
        /// Path to which the issuer posts its answer. With several issuers, people choose theirs there.
        reply_path: PathPrefix = "/signin-wsfed",
        /// Path that signs the user out, here and at the issuer.
        sign_out_path: PathPrefix = "/signout",
        /// Path that shows people they are signed out.
        signed_out_path: PathPrefix = "/signed-out",
        /// Sign-out by the issuer from server to server; off when absent.
        back_channel: Option<BackChannel>,
        /// The relying party's own metadata, for issuers to import; not published when absent.
        metadata: Option<PublishedMetadata>,
        /// Audiences a token may be for; the realm when empty.
        audiences: Vec<String> = [],
        /// Preferred identity provider at the issuer (`whr`). With several issuers, each has its own.
        home_realm: Option<String>,
        /// Greatest age of the authentication at the issuer (`wfresh`), in whole minutes; `0s` asks
        /// for the password again. A token that tells of an older one, give or take `clock_skew`, or of none, is refused.
        freshness: Option<Duration>,
        /// Requested method of authentication (`wauth`): a URI.
        authentication_type: Option<String>,
        /// Refuse issuer and site addresses that are not https; loopback addresses are exempt.
        require_https: bool = true,
        /// Accept answers nobody here asked for: sign-in that starts at the issuer.
        allow_unsolicited: bool = false,
        /// Tolerance for clocks that differ between the issuer and here.
        clock_skew: Duration = "5m",
        /// Refuse an issuer's token that was used before.
        detect_replay: bool = true,
        /// Keys that decrypt the issuer's tokens: PEM files with private key and certificate, or PKCS#12 files, readable by
        /// their owner only. The first one is current: the issuer gets its certificate; the others are previous ones. Encrypted
        /// tokens are refused when empty.
        decryption_keys: Vec<PathBuf> = [],
        /// Key that becomes the current one later. Its certificate is published behind the current one's (`metadata`), and what is
        /// encrypted for it is decrypted already.
        next_decryption_key: Option<PathBuf>,
        /// File with the password of PKCS#12 files among these keys; the empty password when absent.
        decryption_password_file: Option<PathBuf>,
        /// Algorithms that encrypted tokens may use.
        decryption_algorithms: Vec<TokenAlgorithm> = ["aes-gcm", "aes-cbc", "rsa-oaep"],
        /// Claims of the issuer's token that a session keeps, by the rules of `sts.relying_party.NAME.claims`: what is kept is
        /// what applications see and what cookies carry. Keep `name_identifier` or `name`: `session revoke` knows users by it.
        claims: ClaimRules = ["*"],
        /// What happens to requests without a session.
        challenge: Challenge,
        /// The session.
        session: Session,
        /// The session's cookie.
        cookie: Cookie,
        /// Session cookies of WIF.
        wif: Option<Wif>,
    }
}

impl Federation {
    /// The files that are read for it: when one changes, it is read again.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let metadata =
            self.metadata.iter().flat_map(|metadata| [&metadata.signing_key, &metadata.signing_password_file]);
        let single = metadata.chain([&self.next_decryption_key, &self.decryption_password_file]).flatten();
        self.decryption_keys.iter().chain(single).map(PathBuf::as_path)
    }

    /// The address of the site, without a slash at its end; none when neither `public_url` nor the realm tells.
    pub fn public_origin(&self) -> Option<String> {
        let realm = || HttpUrl::parse(&self.realm);
        let url = self.public_url.clone().or_else(realm)?;
        let scheme = if url.is_https() { "https" } else { "http" };
        url.authority().map(|authority| format!("{scheme}://{authority}"))
    }

    /// The paths that it answers itself, with their keys.
    pub(super) fn own_paths(&self) -> impl Iterator<Item = (&'static str, &PathPrefix)> {
        let back_channel = self.back_channel.as_ref().map(|channel| ("back_channel.path", &channel.path));
        let metadata = self.metadata.as_ref().map(|metadata| ("metadata.path", &metadata.path));
        let own = [
            ("reply_path", &self.reply_path),
            ("sign_out_path", &self.sign_out_path),
            ("signed_out_path", &self.signed_out_path),
        ];
        own.into_iter().chain(back_channel).chain(metadata)
    }

    /// Reports what does not fit together about encrypted tokens.
    pub(super) fn check_decryption(&self, path: &str, reader: &mut Reader) {
        let key = format!("{path}.decryption_algorithms");
        let is_transport =
            |algorithm: &TokenAlgorithm| matches!(algorithm, TokenAlgorithm::RsaOaep | TokenAlgorithm::Rsa15);
        let transports = self.decryption_algorithms.iter().filter(|algorithm| is_transport(algorithm)).count();
        if transports == 0 || transports == self.decryption_algorithms.len() {
            let message = "needs both: one for the token such as \"aes-gcm\", and one for its key such as \"rsa-oaep\"";
            reader.report(FindingKind::Conflict, &key, message);
        }
        let next = format!("{path}.next_decryption_key");
        match &self.next_decryption_key {
            Some(_) if self.decryption_keys.is_empty() => {
                let message = "means nothing without decryption_keys: name it there, as it is the only one";
                reader.report(FindingKind::Conflict, &next, message);
            }
            Some(file) if self.decryption_keys.contains(file) => {
                let message =
                    "is in decryption_keys already, where the first one is current and the others are previous ones";
                reader.report(FindingKind::Conflict, &next, message);
            }
            _ => {}
        }
        if self.decryption_keys.is_empty() && self.decryption_password_file.is_some() {
            let message = "means nothing without decryption_keys: name the PKCS#12 files there, or remove it";
            reader.report(FindingKind::Conflict, &format!("{path}.decryption_password_file"), message);
        }
    }
}

section! {
    /// The federation metadata of a relying party: realm, address for answers, claim types, and the certificate to encrypt for.
    pub struct PublishedMetadata {
        /// Where it is.
        path: PathPrefix = "/FederationMetadata/2007-06/FederationMetadata.xml",
        /// Claim types that the issuer is asked for: URIs, or the short names of `claims_to_headers`.
        claim_types: Vec<ClaimTypeName> = [],
        /// Key and certificate (PEM or PKCS#12) that sign it, readable by their owner only. Not signed when absent.
        signing_key: Option<PathBuf>,
        /// File with the password of a PKCS#12 file; the empty password when absent.
        signing_password_file: Option<PathBuf>,
    }
}

/// A claim type, by its URI or a short name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimTypeName(pub ArcStr);

impl Value for ClaimTypeName {
    fn kind() -> Cow<'static, str> {
        Cow::Borrowed("text")
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        let word = String::read(value, path, reader)?;
        let claim_type = ClaimHeaders::claim_type(&word);
        claim_type.map_err(|message| reader.report(FindingKind::Value, path, message)).ok().map(Self)
    }
}

section! {
    /// Where issuers with `logout_tokens` end sessions from server to server (OpenID Connect Back-Channel Logout).
    pub struct BackChannel {
        /// Path to which they post logout tokens.
        path: PathPrefix = "/signout-backchannel",
        /// Whom the tokens are for (`aud`); the realm when absent.
        audience: Option<String>,
    }
}

section! {
    /// Logout tokens of an issuer: each ends sessions of a user. The issuer needs a `name`.
    pub struct LogoutTokens {
        /// Who signs them (`iss`).
        issuer: String,
        /// File with the public keys that sign them: a JWK Set.
        keys: Option<PathBuf>,
        /// Address of those keys, in place of a file: they stay up to date.
        key_set: Option<HttpUrl>,
        /// Authorities (PEM) that the certificate of the key set's server must come from; those of the system when empty.
        key_set_authorities: Vec<PathBuf> = [],
        /// File that keeps the last good key set, for starts while the issuer is away.
        key_set_cache: Option<PathBuf>,
        /// How often the key set is fetched. A token with an unknown key makes us look at once, too.
        key_set_refresh: Duration = "12h",
        /// What a token ends that names both a user and a session.
        ends: LogoutScope = "user",
        /// Claim (a URI) of the issuer's sign-in tokens with the session's identifier (`sid`); `SessionIndex` of SAML when absent.
        session_claim: Option<String>,
    }
}

impl LogoutTokens {
    fn check(&self, path: &str, reader: &mut Reader) {
        let mut report = |kind, key: &str, message: String| reader.report(kind, &format!("{path}.{key}"), message);
        match (&self.keys, &self.key_set) {
            (None, None) => {
                let message = "is required, or keys: say where the issuer's JWK Set is".to_owned();
                report(FindingKind::Missing, "key_set", message);
            }
            (Some(_), Some(_)) => {
                report(FindingKind::Conflict, "keys", "means nothing with key_set: remove one".to_owned());
            }
            (None, Some(url)) if !url.is_https() && !url.is_loopback() => {
                let message = format!("{url} is not https: anybody on the way could sign people out");
                report(FindingKind::Conflict, "key_set", message);
            }
            _ => {}
        }
        if self.key_set.is_none() {
            for (key, given) in [
                ("key_set_authorities", !self.key_set_authorities.is_empty()),
                ("key_set_cache", self.key_set_cache.is_some()),
            ] {
                if given {
                    report(FindingKind::Conflict, key, "means nothing without key_set".to_owned());
                }
            }
        }
        if self.key_set_refresh < Duration::from_secs(60) {
            report(FindingKind::Value, "key_set_refresh", "must be at least \"1m\"".to_owned());
        }
    }
}

choice! {
    /// What a logout token ends that names both a user and a session.
    pub enum LogoutScope {
        /// Every session of the user.
        User = "user",
        /// The sessions that began in that session at the issuer. Its identifier must be in the issuer's sign-in tokens: otherwise
        /// nothing ends.
        Session = "session",
    }
}

choice! {
    /// Algorithms of encrypted tokens.
    pub enum TokenAlgorithm {
        /// AES in Galois/counter mode, keys of any size.
        AesGcm = "aes-gcm",
        /// AES in CBC mode, keys of any size: what AD FS and the .NET Framework send. It has no integrity of its own.
        AesCbc = "aes-cbc",
        /// Triple DES in CBC mode, for very old issuers.
        TripleDesCbc = "3des-cbc",
        /// RSA-OAEP, with SHA-1 or SHA-2.
        RsaOaep = "rsa-oaep",
        /// RSA with PKCS#1 version 1.5 padding, for old issuers; a bad ciphertext looks like a wrong key.
        Rsa15 = "rsa-1.5",
    }
}

section! {
    /// What happens to requests without a session where one is needed.
    pub struct Challenge {
        /// Who is sent to the issuer.
        mode: ChallengeMode = "auto",
    }
}

choice! {
    /// Who is sent to the issuer.
    pub enum ChallengeMode {
        /// People who navigate; programs get 401 with a JSON body.
        Auto = "auto",
        /// Nobody: always 401.
        Never = "never",
    }
}

section! {
    /// The session.
    pub struct Session {
        /// Longest life, counted from sign-in.
        absolute_timeout: Duration = "10h",
        /// Ends the session when nothing was requested for so long; 30 to 60 minutes suit most. No limit when
        /// absent.
        idle_timeout: Option<Duration>,
        /// Part of `idle_timeout`, in percent, after which a request extends the session.
        slide_after: u32 = 50,
        /// End the session no later than the issuer's token.
        cap_to_issuer_lifetime: bool = true,
        /// What the cookie holds.
        mode: SessionMode = "self-contained",
        /// Format in which sessions are written.
        format: SessionFormat = "native",
        /// Further formats that are read. A session in one of them goes on in the format that is written: for switching
        /// over without signing anybody out.
        accept: Vec<SessionFormat> = [],
        /// Federations whose sessions are accepted here, too, where both have the same cookie: one session for several audiences.
        accept_from: Vec<String> = [],
        /// Tolerance for clocks that differ between our own nodes, up to 60 seconds.
        clock_skew: Duration = "30s",
        /// What becomes of a cookie that cannot be read.
        on_unreadable: OnUnreadable = "drop",
        /// How many sessions in cookies are remembered for ten seconds after their cookie was opened, so that it is not decrypted
        /// for each request of a page, as long as all cookies stay the same; about 3 KB each. Their end and sign-outs count at
        /// once all the same, a revoked key after those ten seconds. 0 opens the cookie of every request.
        verified_tokens: u32 = 1024,
    }
}

choice! {
    /// What the cookie holds.
    pub enum SessionMode {
        /// The whole session, sealed: nothing is kept here.
        SelfContained = "self-contained",
        /// A sealed handle; the session is in the store.
        Reference = "reference",
        /// The whole session while it fits into the cookie's pieces; else a sealed handle, and the session in the store.
        Automatic = "automatic",
    }
}

choice! {
    /// A format of session cookies.
    pub enum SessionFormat {
        /// Handstamp's own: small, authenticated and encrypted with the key ring, bound to cookie and realm.
        Native = "native",
        /// That of Windows Identity Foundation, for .NET Framework applications; needs the table `wif`.
        Wif = "wif",
    }
}

choice! {
    /// What becomes of a cookie that cannot be read.
    pub enum OnUnreadable {
        /// It is deleted and the request goes on without a session.
        Drop = "drop",
        /// The request is refused with 400, and the cookie deleted.
        Refuse = "refuse",
    }
}

section! {
    /// The session's cookie.
    pub struct Cookie {
        /// Name; further pieces add a number. A name with `__Host-` binds it to one host and to https.
        name: String = "__Host-session",
        /// Path it is sent to.
        path: PathPrefix = "/",
        /// Domain it is sent to, with everything below; only the host that set it when absent.
        domain: Option<String>,
        /// Which cross-site requests carry it.
        same_site: SameSite = "lax",
        /// Send it over https only. Browsers count `localhost` as secure.
        secure: bool = true,
        /// Keep it when the browser closes, for so long; until the browser closes when absent.
        persistent: Option<Duration>,
        /// Longest piece, in characters, at least 1000.
        chunk_size: u32 = 2000,
        /// Most pieces, up to 16.
        max_chunks: u32 = 8,
    }
}

choice! {
    /// Which cross-site requests carry the cookie.
    pub enum SameSite {
        /// None.
        Strict = "strict",
        /// Navigations.
        Lax = "lax",
        /// All: for pages inside another site's frames.
        None = "none",
    }
}
