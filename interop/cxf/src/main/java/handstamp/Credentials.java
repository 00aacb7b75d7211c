package handstamp;

import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.CallbackHandler;
import org.apache.wss4j.common.crypto.Crypto;
import org.apache.wss4j.common.crypto.Merlin;
import org.apache.wss4j.common.ext.WSPasswordCallback;

/** The own certificate and private key, the peer's certificate, further trusted ones, and the passwords of people. */
record Credentials(String own, String peer, KeyStore store) {
    private static final String STORE_PASSWORD = "store";
    private static final Map<String, String> PEOPLE = Map.of("abcd", "dcba-dcba", "Alice", "ecilA-ecilA");

    static Credentials of(Path folder, String own, String peer, String... trusted) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        String pem = Files.readString(folder.resolve(own + ".pem"));
        PKCS8EncodedKeySpec key = new PKCS8EncodedKeySpec(section(pem, "PRIVATE KEY"));
        Certificate certificate = certificate(pem);
        PrivateKey privateKey = KeyFactory.getInstance(certificate.getPublicKey().getAlgorithm()).generatePrivate(key);
        store.setKeyEntry(own, privateKey, STORE_PASSWORD.toCharArray(), new Certificate[] {certificate});
        store.setCertificateEntry(peer, certificate(Files.readString(folder.resolve(peer + ".pem"))));
        for (String name : trusted) {
            store.setCertificateEntry(name, certificate(Files.readString(folder.resolve(name + ".pem"))));
        }
        return new Credentials(own, peer, store);
    }

    Crypto crypto() throws Exception {
        Merlin crypto = new Merlin();
        crypto.setKeyStore(store);
        crypto.setTrustStore(store);
        return crypto;
    }

    KeyManager[] keyManagers() throws Exception {
        KeyManagerFactory factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        factory.init(store, STORE_PASSWORD.toCharArray());
        return factory.getKeyManagers();
    }

    TrustManager[] trustManagers() throws Exception {
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        return factory.getTrustManagers();
    }

    /** Passwords of people and of the key store; nothing for whoever is not known. */
    CallbackHandler passwords() {
        return callbacks -> {
            for (Callback callback : callbacks) {
                if (callback instanceof WSPasswordCallback password) {
                    String name = password.getIdentifier();
                    password.setPassword(name.equals(own) ? STORE_PASSWORD : PEOPLE.get(name));
                }
            }
        };
    }

    private static Certificate certificate(String pem) throws Exception {
        byte[] der = section(pem, "CERTIFICATE");
        return CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(der));
    }

    private static byte[] section(String pem, String label) {
        Matcher section = Pattern.compile("-----BEGIN " + label + "-----(.*?)-----END", Pattern.DOTALL).matcher(pem);
        if (!section.find()) {
            throw new IllegalArgumentException("a PEM file lacks its " + label);
        }
        return Base64.getMimeDecoder().decode(section.group(1));
    }
}
