package handstamp;

import org.apache.cxf.binding.soap.SoapBindingConstants;
import org.apache.cxf.binding.soap.SoapMessage;
import org.apache.cxf.binding.soap.interceptor.SoapPreProtocolOutInterceptor;
import org.apache.cxf.message.MessageUtils;
import org.apache.cxf.phase.AbstractPhaseInterceptor;
import org.apache.cxf.phase.Phase;

/** Takes the action from the HTTP head of requests: of those that establish sessions, too. The addressing header keeps it. */
final class EmptyAction extends AbstractPhaseInterceptor<SoapMessage> {
    private volatile boolean on;

    EmptyAction() {
        super(Phase.POST_LOGICAL);
        addBefore(SoapPreProtocolOutInterceptor.class.getName());
    }

    void turn(boolean on) {
        this.on = on;
    }

    @Override
    public void handleMessage(SoapMessage message) {
        if (on && MessageUtils.isRequestor(message)) {
            message.put(SoapBindingConstants.SOAP_ACTION, "");
        }
    }
}
