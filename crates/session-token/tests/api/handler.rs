//! ST §4: what the handler accepts, in which order it looks, and at which boundaries it refuses.

use crate::support::{AUDIENCE, alices_token, now, ring};
use async_trait::async_trait;
use handstamp_claims::ClaimsPrincipal;
use handstamp_keys::{SecureRandom, SystemRandom};
use handstamp_session_token::native::NativeFormat;
use handstamp_session_token::{
    CachedToken, Carrier, ContextId, EndpointScope, Error, ErrorKind, Expected, Malformed, Misconfigured, MruCache,
    NewEntry, Opened, Revision, Revocation, RevocationList, SessionSecurityToken, SessionSecurityTokenBuilder,
    SessionSecurityTokenHandler, SessionSecurityTokenHandlerBuilder, SessionTokenCache, SessionTokenCacheKey,
    SubjectId, TextEncoding, TokenFormat, WriteCondition,
};
use handstamp_testkit::principals::{ISSUER, alice};
use handstamp_time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const TICK: Duration = Duration::from_nanos(100);

fn builder() -> SessionSecurityTokenHandlerBuilder {
    SessionSecurityTokenHandler::builder(Arc::new(NativeFormat::new(ring()))).audience(AUDIENCE)
}

fn handler() -> SessionSecurityTokenHandler {
    builder().build().unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[test]
fn st_29_tokens_get_the_handlers_scope_and_the_callers_lifetime() {
    let handler = handler();
    let build = |builder: SessionSecurityTokenBuilder| builder.build(now(), &SystemRandom).unwrap();
    let token = build(handler.token(alice().into()).lifetime(Duration::from_secs(60)));
    assert_eq!(token.valid_to(), now().saturating_add(Duration::from_secs(60)));
    assert_eq!(token.endpoint().as_str(), AUDIENCE);
    let token = build(handler.token(alice().into()));
    assert_eq!(token.valid_to(), now().saturating_add(Duration::from_secs(36_000)));
}

#[test]
fn st_33_inconsistent_settings_are_refused() {
    let refused = builder().audience("").require_endpoint_scope(true).build().unwrap_err();
    assert!(matches!(refused, Error::Misconfigured(Misconfigured::AudienceMissing)));
}

#[test]
fn st_32_validity_boundaries_are_inclusive_and_widened_by_the_skew() {
    let skew = Duration::from_secs(30);
    let token = alices_token();
    for (handler, skew) in [(handler(), skew), (builder().clock_skew(Duration::ZERO).build().unwrap(), Duration::ZERO)]
    {
        let (first, last) = (token.valid_from().saturating_sub(skew), token.valid_to().saturating_add(skew));
        assert!(handler.validate(&token, first).is_ok() && handler.validate(&token, last).is_ok());
        let early = handler.validate(&token, first.saturating_sub(TICK)).unwrap_err();
        assert_eq!((early.kind(), early.code()), (ErrorKind::NotYetValid, "ID4255"));
        let late = handler.validate(&token, last.saturating_add(TICK)).unwrap_err();
        assert_eq!((late.kind(), late.code()), (ErrorKind::Expired, "ID4255"));
    }
}

#[test]
fn id4291_a_token_of_another_endpoint_is_refused() {
    let token = alices_token();
    let other =
        SessionSecurityTokenHandler::builder(Arc::new(NativeFormat::new(ring()))).audience("https://other.example/");
    let refused = other.build().unwrap().validate(&token, now()).unwrap_err();
    assert_eq!((refused.code(), refused.kind()), ("ID4291", ErrorKind::WrongEndpoint));
    let sharing = builder().audience("https://other.example/").accept_audience(AUDIENCE).build().unwrap();
    assert!(sharing.validate(&token, now()).is_ok());
    assert!(sharing.validate_for(&token, AUDIENCE, now()).is_ok());
    assert_eq!(kind(sharing.validate_for(&token, "https://ORDERS.contoso.example/", now())), ErrorKind::WrongEndpoint);
}

#[test]
fn st_33_unscoped_tokens_pass_unless_a_scope_is_required() {
    let token = SessionSecurityToken::builder(alice().into()).build(now(), &SystemRandom).unwrap();
    assert!(handler().validate(&token, now()).is_ok());
    let strict = builder().require_endpoint_scope(true).build().unwrap();
    assert_eq!(kind(strict.validate(&token, now())), ErrorKind::WrongEndpoint);
    assert!(strict.validate(&alices_token(), now()).is_ok());
}

#[test]
fn st_14_nobody_is_refused() {
    let token = handler().token(ClaimsPrincipal::anonymous()).build(now(), &SystemRandom).unwrap();
    assert_eq!(handler().validate(&token, now()).unwrap_err().code(), "HST-TOKEN-NO-IDENTITY");
}

#[test]
fn sm_13_revoked_sessions_and_subjects_are_refused() {
    let list = Arc::new(RevocationList::new());
    let handler = builder().revocations(list.clone()).build().unwrap();
    let (one, two) = (alices_token(), alices_token());
    let expires = one.valid_to();
    list.apply(&Revocation::session(one.context_id(), expires), now()).unwrap();
    assert_eq!(kind(handler.validate(&one, now())), ErrorKind::Revoked);
    assert!(handler.validate(&two, now()).is_ok());

    list.apply(&Revocation::subject(SubjectId::of(two.principal()).unwrap(), now(), expires), now()).unwrap();
    assert_eq!(kind(handler.validate(&two, now())), ErrorKind::Revoked);
    let later = now().saturating_add(TICK);
    let again = handler.token(alice().into()).build(later, &SystemRandom).unwrap();
    assert!(handler.validate(&again, later).is_ok(), "a sign-in after the epoch is a new session");
}

#[test]
fn sm_13_a_sign_out_reaches_what_a_parallel_request_made_by_sliding() {
    let list = Arc::new(RevocationList::new());
    let handler = builder().revocations(list.clone()).build().unwrap();
    let token = alices_token();
    let slid = token.reissue().build(now(), &SystemRandom);
    let slid = slid.or_else(|_| token.reissue().lifetime(Duration::from_secs(60)).build(now(), &SystemRandom)).unwrap();
    for revocation in Revocation::of_sign_out(&token, handler.clock_skew()) {
        list.apply(&revocation, now()).unwrap();
    }
    assert_eq!(kind(handler.validate(&slid, now())), ErrorKind::Revoked);
}

#[test]
fn st_9_sizes_and_encodings_are_checked_before_anything_else() {
    let handler = builder().max_bytes(64).build().unwrap();
    let malformed = |result: Result<Opened, Error>| match result {
        Err(Error::Malformed(malformed)) => malformed,
        other => panic!("{other:?}"),
    };
    assert_eq!(malformed(handler.open(Vec::new(), now())), Malformed::Empty);
    assert_eq!(malformed(handler.open_text("", now())), Malformed::Empty);
    assert_eq!(malformed(handler.open(vec![0xd0; 65], now())), Malformed::TooLarge);
    assert_eq!(malformed(handler.open_text(&"0INJ".repeat(30), now())), Malformed::TooLarge);
    assert_eq!(malformed(handler.open_text("0INJ+/==", now())), Malformed::NotBase64);
    assert_eq!(malformed(handler.open(vec![0xef, 0xbb, 0xbf], now())), Malformed::UnknownFormat);
    assert_eq!(malformed(handler.open_text("77u/PD94bWw", now())), Malformed::UnknownFormat);
}

/// A format that counts how often it is asked to read, and whose tag is `X`.
#[derive(Debug, Default)]
struct Counting(AtomicUsize);

impl TokenFormat for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn text_encoding(&self) -> TextEncoding {
        TextEncoding::Base64
    }

    fn recognizes(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(b"X")
    }

    fn recognizes_text(&self, text: &str) -> bool {
        text.starts_with("WA")
    }

    fn write(
        &self,
        _: &SessionSecurityToken,
        _: &Carrier,
        _: Timestamp,
        _: &dyn SecureRandom,
    ) -> Result<Vec<u8>, Error> {
        Err(Error::NotWritable("it only counts"))
    }

    fn read(&self, _: Vec<u8>, _: &Expected<'_>) -> Result<Opened, Error> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Err(Error::Unauthentic)
    }
}

#[test]
fn st_42_formats_are_told_apart_by_their_tag_and_never_by_trial() {
    let other = Arc::new(Counting::default());
    let handler = builder().accept_format(other.clone()).build().unwrap();
    let sealed = handler.write(&alices_token(), now(), &SystemRandom).unwrap();
    assert!(handler.open(sealed.clone(), now()).is_ok());
    let mut damaged = sealed;
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(kind(handler.open(damaged, now())), ErrorKind::Unauthentic);
    assert_eq!(other.0.load(Ordering::SeqCst), 0, "a damaged native token is not offered to another format");
    assert_eq!(kind(handler.open(b"X".to_vec(), now())), ErrorKind::Unauthentic);
    assert_eq!(kind(handler.open_text("WA==", now())), ErrorKind::Unauthentic);
    assert_eq!(other.0.load(Ordering::SeqCst), 2);
}

/// A cache that counts its reads and always answers with one token.
struct Watched {
    token: Arc<SessionSecurityToken>,
    reads: AtomicUsize,
}

#[async_trait]
impl SessionTokenCache for Watched {
    async fn write(
        &self,
        _: &SessionTokenCacheKey,
        _: NewEntry,
        _: WriteCondition,
        _: Timestamp,
    ) -> Result<Option<Revision>, Error> {
        Ok(Some(Revision(1)))
    }

    async fn get(&self, _: &SessionTokenCacheKey, _: Timestamp) -> Result<Option<CachedToken>, Error> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        Ok(Some(CachedToken { token: self.token.clone(), expires: Timestamp::MAX, revision: Revision(1) }))
    }

    async fn get_all(&self, _: &EndpointScope, _: &ContextId, _: Timestamp) -> Result<Vec<CachedToken>, Error> {
        Ok(Vec::new())
    }

    async fn remove(&self, _: &SessionTokenCacheKey) -> Result<(), Error> {
        Ok(())
    }

    async fn remove_endpoint(&self, _: &EndpointScope) -> Result<(), Error> {
        Ok(())
    }

    async fn purge(&self, _: Timestamp) -> Result<usize, Error> {
        Ok(0)
    }
}

#[test]
fn st_31_cookie_is_verified_before_the_cache_is_asked() {
    let handler = handler();
    let mut token = alices_token();
    token.set_reference_mode(true);
    let cache = Watched { token: Arc::new(token.clone()), reads: AtomicUsize::new(0) };
    let sealed = handler.write(&token, now(), &SystemRandom).unwrap();
    for bit in [70, 90, 250, sealed.len() * 8 - 1] {
        let mut forged = sealed.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(kind(block_on(handler.read(forged, now(), Some(&cache)))), ErrorKind::Unauthentic);
    }
    assert_eq!(cache.reads.load(Ordering::SeqCst), 0);
    let read = block_on(handler.read(sealed, now(), Some(&cache))).unwrap();
    assert_eq!((*read == token, cache.reads.load(Ordering::SeqCst)), (true, 1));
}

#[test]
fn st_31_a_whole_token_is_never_replaced_by_a_cached_one() {
    let handler = handler();
    let token = alices_token();
    let cache = Watched { token: Arc::new(alices_token()), reads: AtomicUsize::new(0) };
    let sealed = handler.write(&token, now(), &SystemRandom).unwrap();
    assert_eq!(*block_on(handler.read(sealed, now(), Some(&cache))).unwrap(), token);
    assert_eq!(cache.reads.load(Ordering::SeqCst), 0);
}

#[test]
fn st_30_a_cache_that_answers_with_another_session_signs_nobody_in() {
    let handler = handler();
    let mut token = alices_token();
    token.set_reference_mode(true);
    let sealed = handler.write(&token, now(), &SystemRandom).unwrap();
    let cache = Watched { token: Arc::new(alices_token()), reads: AtomicUsize::new(0) };
    let refused = block_on(handler.read(sealed, now(), Some(&cache))).unwrap_err();
    assert_eq!((refused.code(), refused.kind()), ("ID4243", ErrorKind::NotFoundInCache));
}

#[test]
fn id4243_a_reference_to_a_session_that_ended() {
    let handler = handler();
    let mut token = alices_token();
    token.set_reference_mode(true);
    let text = handler.write_text(&token, now(), &SystemRandom).unwrap();
    let cache = MruCache::new();
    let read = |at| block_on(handler.read_text(&text, at, Some(&cache)));
    assert_eq!(read(now()).unwrap_err().code(), "ID4243");
    let key = SessionTokenCacheKey::of(&token);
    block_on(cache.add(&key, NewEntry::new(Arc::new(token.clone())), now())).unwrap();
    assert_eq!(*read(now()).unwrap(), token);
    assert_eq!(
        kind(read(token.valid_to().saturating_add(TICK))),
        ErrorKind::NotFoundInCache,
        "expired entries are gone"
    );
    block_on(cache.remove(&key)).unwrap();
    assert_eq!(kind(read(now())), ErrorKind::NotFoundInCache);
    assert_eq!(kind(block_on(handler.read_text(&text, now(), None))), ErrorKind::Misconfigured);
}

#[test]
fn errors_say_little_about_the_token_and_quote_what_they_say() {
    let hostile = SessionSecurityToken::builder(alice().into()).endpoint("x\n\u{1b}[31m".repeat(60));
    let refused = handler().validate(&hostile.build(now(), &SystemRandom).unwrap(), now()).unwrap_err().to_string();
    assert!(!refused.contains('\n') && !refused.contains('\u{1b}') && refused.len() < 700, "{refused}");
    assert!(!refused.contains(ISSUER) && !refused.contains("alice"));
}
