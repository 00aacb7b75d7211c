package handstamp;

import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.Map;
import javax.xml.namespace.QName;
import org.apache.cxf.Bus;
import org.apache.cxf.BusFactory;
import org.apache.cxf.configuration.jsse.TLSServerParameters;
import org.apache.cxf.jaxws.EndpointImpl;
import org.apache.cxf.transport.http_jetty.JettyHTTPServerEngineFactory;

/** The service: all endpoints in one process, plain and over TLS at one port each. */
final class Server {
    private final Path folder;
    private final Map<String, Object> settings;
    private final Bus bus = BusFactory.getDefaultBus();
    private final int port = freePort();
    private final int tlsPort = freePort();

    Server(Path folder, Credentials credentials) throws Exception {
        this.folder = folder;
        // Replies of asymmetric bindings are for whoever signed the request.
        settings = Settings.of(credentials, "useReqSigCert", false);
        TLSServerParameters tls = new TLSServerParameters();
        tls.setKeyManagers(Credentials.of(folder, "tls", "alice").keyManagers());
        JettyHTTPServerEngineFactory engines = bus.getExtension(JettyHTTPServerEngineFactory.class);
        engines.setTLSServerParametersForPort("127.0.0.1", tlsPort, tls);
    }

    /** Starts an endpoint; its address. */
    String publish(String name, boolean streaming) {
        boolean overTransport = name.contains("OverTransport");
        String origin = overTransport ? "https://127.0.0.1:" + tlsPort : "http://127.0.0.1:" + port;
        String address = origin + "/" + name + (streaming ? "-streaming" : "");
        EndpointImpl endpoint = new EndpointImpl(bus, new Ping());
        endpoint.setServiceName(new QName(Ping.SERVICE_NAMESPACE, "PingService"));
        endpoint.setEndpointName(new QName(Ping.SERVICE_NAMESPACE, name + "_IPingService"));
        endpoint.setWsdlLocation(folder.resolve(name + ".wsdl").toUri().toString());
        Map<String, Object> all = Settings.withBootstrap(settings);
        all.put(org.apache.cxf.ws.security.SecurityConstants.ENABLE_STREAMING_SECURITY, streaming);
        endpoint.setProperties(all);
        endpoint.publish(address);
        return address;
    }

    private static int freePort() {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        } catch (java.io.IOException error) {
            throw new IllegalStateException(error);
        }
    }
}
