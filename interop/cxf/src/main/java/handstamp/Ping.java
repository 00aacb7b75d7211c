package handstamp;

import jakarta.xml.ws.Provider;
import jakarta.xml.ws.Service;
import jakarta.xml.ws.ServiceMode;
import jakarta.xml.ws.WebServiceProvider;
import java.io.StringReader;
import javax.xml.namespace.QName;
import javax.xml.transform.Source;
import javax.xml.transform.stream.StreamSource;
import org.apache.cxf.staxutils.StaxUtils;
import org.w3c.dom.Document;

/** The one operation of all endpoints: a text comes back behind the name of who sent it. */
@WebServiceProvider
@ServiceMode(Service.Mode.PAYLOAD)
public final class Ping implements Provider<Source> {
    static final String NAMESPACE = "http://xmlsoap.org/Ping";
    static final String SERVICE_NAMESPACE = "http://WSSec/wssc";
    static final QName OPERATION = new QName(SERVICE_NAMESPACE, "Ping");

    @Override
    public Source invoke(Source request) {
        try {
            Document document = StaxUtils.read(request);
            String text = text(document, "origin") + " : " + text(document, "text");
            return message("PingResponse", "<text>" + text + "</text>");
        } catch (Exception error) {
            throw new IllegalArgumentException(error);
        }
    }

    static Source request(String text) {
        return message("PingRequest", "<origin>CXF</origin><text>" + text + "</text>");
    }

    static String text(Document document, String name) {
        return document.getElementsByTagNameNS(NAMESPACE, name).item(0).getTextContent();
    }

    private static Source message(String name, String content) {
        return new StreamSource(new StringReader("<" + name + " xmlns='" + NAMESPACE + "'>" + content + "</" + name + ">"));
    }
}
