package handstamp;

import jakarta.xml.ws.BindingProvider;
import jakarta.xml.ws.Dispatch;
import jakarta.xml.ws.Service;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import javax.xml.namespace.QName;
import javax.xml.transform.Source;
import org.apache.cxf.Bus;
import org.apache.cxf.BusFactory;
import org.apache.cxf.configuration.jsse.TLSClientParameters;
import org.apache.cxf.rt.security.SecurityConstants;
import org.apache.cxf.staxutils.StaxUtils;
import org.apache.cxf.transport.http.HTTPConduitConfigurer;
import org.apache.cxf.transports.http.configuration.HTTPClientPolicy;
import org.apache.cxf.jaxws.DispatchImpl;

/** A client of any endpoint, without generated code. */
final class Client {
    private final Path folder;
    private final Credentials credentials;
    private final EmptyAction emptyAction = new EmptyAction();

    Client(Path folder, Credentials credentials) throws Exception {
        this.folder = folder;
        this.credentials = credentials;
        TLSClientParameters tls = new TLSClientParameters();
        tls.setTrustManagers(credentials.trustManagers());
        tls.setDisableCNCheck(true);
        HTTPClientPolicy http = new HTTPClientPolicy();
        // No attempt at HTTP/2 in every request.
        http.setVersion("1.1");
        Bus bus = BusFactory.getDefaultBus();
        // For the conduits that establish sessions, too.
        bus.setExtension(
            (name, address, conduit) -> {
                conduit.setTlsClientParameters(tls);
                conduit.setClient(http);
            },
            HTTPConduitConfigurer.class);
        bus.getOutInterceptors().add(emptyAction);
    }

    /** Two calls in one session, or, where the session is to be cancelled, which CXF does after the first, one; the last reply. */
    String call(Call call) throws Exception {
        emptyAction.turn(call.wants("empty-action"));
        try (DispatchImpl<Source> port = port(call)) {
            String reply = invoke(port, call.text());
            return call.wants("cancel") ? reply : invoke(port, call.text());
        }
    }

    /** As many calls in one session as the time allows: how many, in how many seconds of the processor's time. */
    String measure(Call call, int bytes) throws Exception {
        String text = "x".repeat(bytes);
        try (DispatchImpl<Source> port = port(call)) {
            // The compiler of the JVM has to have seen it.
            count(port, text, Integer.parseInt(call.text()) * 1_000_000_000L);
            long start = processorTime();
            int calls = count(port, text, Integer.parseInt(call.text()) * 1_000_000_000L);
            return calls + " " + (processorTime() - start) / 1e9;
        }
    }

    /** Of client and service, the collector and the compiler, in nanoseconds: other programs on the machine do not count. */
    private static long processorTime() {
        return ProcessHandle.current().info().totalCpuDuration().orElseThrow().toNanos();
    }

    private static int count(Dispatch<Source> port, String text, long nanoseconds) throws Exception {
        long start = System.nanoTime();
        int calls = 0;
        while (System.nanoTime() - start < nanoseconds) {
            invoke(port, text);
            calls++;
        }
        return calls;
    }

    private static String invoke(Dispatch<Source> port, String text) throws Exception {
        return Ping.text(StaxUtils.read(port.invoke(Ping.request(text))), "text");
    }

    @SuppressWarnings("unchecked")
    private DispatchImpl<Source> port(Call call) throws Exception {
        Service service = Service.create(
            folder.resolve(call.endpoint() + ".wsdl").toUri().toURL(), new QName(Ping.SERVICE_NAMESPACE, "PingService"));
        QName name = new QName(Ping.SERVICE_NAMESPACE, call.endpoint() + "_IPingService");
        Dispatch<Source> port = service.createDispatch(name, Source.class, Service.Mode.PAYLOAD);
        Map<String, Object> settings = Settings.of(credentials, credentials.peer(), call.streaming());
        settings.put(SecurityConstants.USERNAME, call.endpoint().contains("OverTransport") ? "Alice" : "abcd");
        Map<String, Object> context = port.getRequestContext();
        context.putAll(Settings.withBootstrap(settings));
        if (call.wants("dom-bootstrap")) {
            context.put(org.apache.cxf.ws.security.SecurityConstants.ENABLE_STREAMING_SECURITY + ".sct", false);
        }
        context.put(BindingProvider.ENDPOINT_ADDRESS_PROPERTY, call.address());
        context.put(jakarta.xml.ws.handler.MessageContext.WSDL_OPERATION, Ping.OPERATION);
        context.put(SecurityConstants.STS_TOKEN_DO_CANCEL, call.wants("cancel"));
        return (DispatchImpl<Source>) port;
    }
}
