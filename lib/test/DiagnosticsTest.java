package lib;

import static org.junit.jupiter.api.Assertions.*;

import module java.base;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.junit.jupiter.api.Test;

@Tag("unit")
class DiagnosticsTest {
    @ParameterizedTest @ValueSource(strings = {"client-key-data: S0VZS0VZS0VZ", "token: abcdefghijkl", "\"token\": \"abcdefghijkl\"",
            "Authorization: Bearer abcdefghijkl", "password=abcdefghijkl is no option, but password: abcdefghijkl is",
            "eyJhbGciOiJS.eyJpc3Mi.c2ln"})
    void secretsAreLeftOut(String text) {
        String left = Secrets.leftOut("before\n" + text + "\nafter");
        assertTrue(left.contains("(left out)") && left.startsWith("before\n") && left.endsWith("\nafter"), left);
        for (String secret : List.of("S0VZ", "token: abc", "\"abc", "Bearer abc", ": abc", "eyJ")) assertFalse(left.contains(secret), left);
    }

    @Test void aKeyIsLeftOutWholeAndACertificateStays() throws Exception {
        var root = Certificates.makeRoot();
        String certificate = Certificates.pem(root.certificate()), key = Certificates.pem(root.key());
        assertEquals("a: (left out)\n" + certificate, Secrets.leftOut("a: " + key + certificate));
        assertEquals("(left out)", Secrets.leftOut(key.substring(0, 90)));
        assertEquals("made (left out) now", Secrets.leftOut("made hvs.CAESIJ_x-0123456789 now"));
    }

    @Test void whatOnlySpeaksOfTokensStays() {
        String text = "--service-account-token-path=/var/run/token, tokenreviews, name: kube-api-access-x";
        assertEquals(text, Secrets.leftOut(text));
    }
}
