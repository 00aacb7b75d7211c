// Message security by Mono's Windows Communication Foundation, both ends, behind the protocol of Lines.cs.
//
// Compile: mcs -r:Mono.Security -r:System.ServiceModel -r:System.IdentityModel -r:System.IdentityModel.Selectors Messages.cs Lines.cs
using System;
using System.IdentityModel.Selectors;
using System.IdentityModel.Tokens;
using System.Security.Cryptography.X509Certificates;
using System.ServiceModel;
using System.ServiceModel.Channels;
using System.ServiceModel.Description;
using System.ServiceModel.Security;
using System.Text;
using Mono.Security.Cryptography;
using PKCS12 = Mono.Security.X509.PKCS12;

[ServiceContract(Namespace = "http://tempuri.org/")]
public interface IEcho
{
    [OperationContract]
    string Echo(string text);
}

public class EchoService : IEcho
{
    public string Echo(string text) { return text + ", says Mono"; }
}

class Password : UserNamePasswordValidator
{
    public override void Validate(string name, string password)
    {
        if (name != "alice" || password != "secret") throw new SecurityTokenException("unknown name or wrong password");
    }
}

static class Messages
{
    // What Mono makes of one private key in fifty or so.
    const string UnreadableKey = "no private key";

    static X509Certificate2 service;

    static void Main() { Lines.Answer(Answer); }

    static byte[][] Answer(string command, byte[][] given)
    {
        Func<int, string> text = at => Lines.Utf8.GetString(given[at]);
        Func<Binding> binding = () => BindingOf(text(1), text(2), text(3), text(4), text(5));
        switch (command)
        {
            // The service's certificate, and its key in PKCS #8.
            case "identity":
                service = Identity(given[0], given[1]);
                if (!service.HasPrivateKey) throw new ArgumentException(UnreadableKey);
                return Lines.One(new byte[0]);
            // An address, and mode, version, suite, order, derivation of the binding.
            case "host":
                Host(text(0), binding());
                return Lines.One(new byte[0]);
            // The same, and what is to be echoed.
            case "call": return Lines.One(Lines.Utf8.GetBytes(Call(text(0), binding(), text(6))));
            default: throw new ArgumentException("no such command: " + command);
        }
    }

    static X509Certificate2 Identity(byte[] certificate, byte[] key)
    {
        // A certificate gets its key from PKCS #12 only.
        var container = new PKCS12 { Password = "" };
        container.AddCertificate(new Mono.Security.X509.X509Certificate(certificate));
        container.AddPkcs8ShroudedKeyBag(PKCS8.PrivateKeyInfo.DecodeRSA(new PKCS8.PrivateKeyInfo(key).PrivateKey));
        return new X509Certificate2(container.GetBytes(), "");
    }

    static void Host(string address, Binding binding)
    {
        var host = new ServiceHost(typeof(EchoService), new Uri(address));
        var credentials = new ServiceCredentials();
        credentials.ServiceCertificate.Certificate = service;
        credentials.UserNameAuthentication.UserNamePasswordValidationMode = UserNamePasswordValidationMode.Custom;
        credentials.UserNameAuthentication.CustomUserNamePasswordValidator = new Password();
        host.Description.Behaviors.Remove<ServiceCredentials>();
        host.Description.Behaviors.Add(credentials);
        host.AddServiceEndpoint(typeof(IEcho), binding, "");
        host.Open();
    }

    static string Call(string address, Binding binding, string text)
    {
        var endpoint = new EndpointAddress(new Uri(address), new X509CertificateEndpointIdentity(service));
        // Not disposed of: Mono would take the certificate with it.
        var factory = new ChannelFactory<IEcho>(binding, endpoint);
        factory.Credentials.UserName.UserName = "alice";
        factory.Credentials.UserName.Password = "secret";
        factory.Credentials.ServiceCertificate.DefaultCertificate = service;
        factory.Credentials.ServiceCertificate.Authentication.CertificateValidationMode = X509CertificateValidationMode.None;
        return factory.CreateChannel().Echo(text);
    }

    // Names are those of WCF's configuration.
    static Binding BindingOf(string mode, string version, string suite, string order, string derivation)
    {
        SymmetricSecurityBindingElement security;
        switch (mode)
        {
            case "AnonymousForCertificate": security = SecurityBindingElement.CreateAnonymousForCertificateBindingElement(); break;
            case "UserNameForCertificate": security = SecurityBindingElement.CreateUserNameForCertificateBindingElement(); break;
            default: throw new ArgumentException("no such mode: " + mode);
        }
        security.MessageSecurityVersion = (MessageSecurityVersion)typeof(MessageSecurityVersion).GetProperty(version).GetValue(null);
        security.DefaultAlgorithmSuite = (SecurityAlgorithmSuite)typeof(SecurityAlgorithmSuite).GetProperty(suite).GetValue(null);
        security.SetKeyDerivation(derivation == "true");
        security.MessageProtectionOrder = (MessageProtectionOrder)Enum.Parse(typeof(MessageProtectionOrder), order);
        var encoding = new TextMessageEncodingBindingElement(MessageVersion.Soap12WSAddressing10, Encoding.UTF8);
        return new CustomBinding(security, encoding, new HttpTransportBindingElement());
    }
}
