package handstamp;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Apache CXF behind a line protocol: each line of the input is a command, each line of the output its answer, which starts with
 * {@code ok} or {@code failed}.
 *
 * <pre>
 * serve NAME [dom|streaming]                          ok ADDRESS
 * call  NAME dom|streaming ADDRESS TEXT [OPTION]...   ok TEXT-OF-THE-REPLY
 * bench NAME dom|streaming ADDRESS SECONDS BYTES      ok CALLS SECONDS
 * </pre>
 *
 * Options: {@code cancel} the session after the call; {@code empty-action} in the HTTP head; {@code dom-bootstrap} establishes the
 * session with the DOM sender whatever sends in it.
 *
 * The argument is a folder with {@code alice.pem} (the client), {@code bob.pem} (the service) and {@code tls.pem} (the service's TLS), all with
 * certificate and private key, and {@code NAME.wsdl} for each endpoint.
 */
public final class Peer {
    private final Server server;
    private final Client client;

    private Peer(Path folder) throws Exception {
        Credentials service = Credentials.of(folder, "bob", "alice");
        server = new Server(folder, service);
        client = new Client(folder, Credentials.of(folder, "alice", "bob", "tls"));
    }

    public static void main(String[] arguments) throws Exception {
        // Frameworks speak to standard output as they like; answers have it for themselves.
        PrintStream answers = System.out;
        System.setOut(System.err);
        Peer peer = new Peer(Path.of(arguments[0]));
        answers.println("ok ready");
        answers.flush();
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            answers.println(peer.answer(line.split(" ")));
            answers.flush();
        }
        // Jetty's threads would keep the process.
        System.exit(0);
    }

    private String answer(String[] words) {
        try {
            return "ok " + switch (words[0]) {
                case "serve" -> server.publish(words[1], words.length > 2 && words[2].equals("streaming"));
                case "call" -> client.call(Call.of(words));
                case "bench" -> client.measure(Call.of(words), Integer.parseInt(words[5]));
                default -> throw new IllegalArgumentException("no command is called " + words[0]);
            };
        } catch (Exception error) {
            if (System.getenv("PEER_TRACE") != null) {
                error.printStackTrace();
            }
            return "failed " + reasons(error);
        }
    }

    /** The chain of causes on one line. */
    private static String reasons(Throwable error) {
        StringBuilder reasons = new StringBuilder();
        String last = "";
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            String reason = String.valueOf(cause.getMessage());
            if (!reason.equals(last)) {
                reasons.append(reasons.isEmpty() ? "" : "; because ").append(reason.replaceAll("\\s+", " "));
            }
            last = reason;
        }
        return reasons.toString();
    }
}
