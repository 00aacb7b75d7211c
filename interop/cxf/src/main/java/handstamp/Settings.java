package handstamp;

import java.util.HashMap;
import java.util.Map;
import org.apache.cxf.rt.security.SecurityConstants;

/** What CXF has to know, for messages of the session and, with the suffix {@code .sct}, for those that establish it. */
final class Settings {
    private Settings() {}

    static Map<String, Object> of(Credentials credentials, String encryptFor, boolean streaming) throws Exception {
        Map<String, Object> settings = new HashMap<>();
        settings.put(SecurityConstants.SIGNATURE_CRYPTO, credentials.crypto());
        settings.put(SecurityConstants.ENCRYPT_CRYPTO, credentials.crypto());
        settings.put(SecurityConstants.SIGNATURE_USERNAME, credentials.own());
        settings.put(SecurityConstants.ENCRYPT_USERNAME, encryptFor);
        settings.put(SecurityConstants.CALLBACK_HANDLER, credentials.passwords());
        settings.put(org.apache.cxf.ws.security.SecurityConstants.ENABLE_STREAMING_SECURITY, streaming);
        return settings;
    }

    static Map<String, Object> withBootstrap(Map<String, Object> settings) {
        Map<String, Object> all = new HashMap<>(settings);
        settings.forEach((key, value) -> all.put(key + ".sct", value));
        return all;
    }
}
