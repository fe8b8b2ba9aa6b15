"""Which first row is a header, and which is somebody's data."""

# ruff: noqa: RUF001 - letters of other scripts look like Latin ones

from __future__ import annotations

import pytest

from exporter.contacts.suggestion import suggest_matching
from exporter.source.names import MEMBER_NAMES, is_header, is_usual, plain_name
from exporter.source.rows import Column

HEADERS = {
    "Dynamics": ("contactid", "emailaddress1", "firstname", "lastname", "mobilephone"),
    "Dataverse": ("@odata.etag", "_ownerid_value@OData.Community.Display.V1.FormattedValue", "emailaddress1"),
    "HubSpot": ("Record ID", "First Name", "Last Name", "Email", "Phone Number", "Lifecycle Stage"),
    "Google Contacts": ("First Name", "Last Name", "E-mail 1 - Label", "E-mail 1 - Value", "Phone 1 - Value"),
    "Google Workspace": ("First Name [Required]", "Last Name [Required]", "Email Address [Required]"),
    "Salesforce": ("Salutation", "First Name", "Last Name", "Mailing Street", "Account Name", "Email"),
    "Mailchimp": ("Email Address", "First Name", "Last Name", "MEMBER_RATING", "OPTIN_TIME"),
}
LANGUAGES = """
    E-Mail-Adresse; Vorname; Nachname; Telefonnummer
    Adresse e-mail; Prénom; Nom; Téléphone
    Correo electrónico; Nombre; Apellidos; Teléfono
    Indirizzo e-mail; Nome; Cognome; Telefono
    Endereço de e-mail; Nome; Sobrenome; Telemóvel
    E-mailadres; Voornaam; Achternaam; Telefoonnummer
    Adres e-mail; Imię; Nazwisko; Numer telefonu
    E-mailová adresa; Jméno; Příjmení; Telefonní číslo
    E-mailová adresa; Meno; Priezvisko; Telefónne číslo
    E-mailadresse; Fornavn; Efternavn; Telefonnummer
    E-postadress; Förnamn; Efternamn; Mobiltelefon
    E-postadresse; Fornavn; Etternavn; Mobilnummer
    Sähköpostiosoite; Etunimi; Sukunimi; Puhelinnumero
    E-mail cím; Keresztnév; Vezetéknév; Telefonszám
    Adresă de e-mail; Prenume; Nume; Număr de telefon
    Имейл адрес; Собствено име; Фамилно име; Телефонен номер
    E-posta adresi; Adı; Soyadı; Cep telefonu
    Электронная почта; Имя; Фамилия; Телефон
    Електронна пошта; Ім'я; Прізвище; Номер телефону
    Διεύθυνση ηλεκτρονικού ταχυδρομείου; Όνομα; Επώνυμο; Τηλέφωνο
    דואר אלקטרוני; שם פרטי; שם משפחה; טלפון נייד
    البريد الإلكتروني; الاسم الأول; اسم العائلة; رقم الهاتف
    メールアドレス; 名; 姓; 電話番号
    이메일 주소; 이름; 성; 전화번호
    电子邮件; 名字; 姓氏; 手机号码
    電子郵件; 名字; 姓氏; 手機號碼
    อีเมล; ชื่อ; นามสกุล; เบอร์โทรศัพท์
    Alamat email; Nama depan; Nama belakang; Nomor telepon
    Địa chỉ email; Tên; Họ; Số điện thoại
    Adresa e-pošte; Ime; Prezime; Broj telefona
    Имејл адреса; Лично име; Презиме; Број телефона
    E-poštni naslov; Ime; Priimek; Telefonska številka
    El. pašto adresas; Vardas; Pavardė; Telefono numeris
    E-pasta adrese; Vārds; Uzvārds; Tālruņa numurs
    E-posti aadress; Eesnimi; Perekonnanimi; Telefoninumber
    Correu electrònic; Nom de pila; Cognoms; Telèfon
    Helbide elektronikoa; Izena; Abizenak; Telefono zenbakia
    Enderezo electrónico; Nome de pía; Apelidos; Teléfono móbil
    ईमेल पता; पहला नाम; उपनाम; फ़ोन नंबर
    Электрондық пошта; Аты; Тегі; Телефон нөмірі
    E-mel; Nama pertama; Nama keluarga; Nombor telefon
"""
LISTS = [tuple(name.strip() for name in line.split(";")) for line in LANGUAGES.strip().splitlines()]


@pytest.mark.parametrize("row", HEADERS.values(), ids=HEADERS)
def test_the_headers_of_well_known_products_are_headers(row: tuple[str, ...]) -> None:
    assert is_header(row, ())
    assert suggest_matching([Column(name, "string") for name in row]).keys() >= {"email"}


@pytest.mark.parametrize("row", LISTS, ids=[row[0] for row in LISTS])
@pytest.mark.parametrize("spelt", [str, str.upper, lambda name: f" {name} "], ids=["as is", "upper", "blanks"])
def test_each_language_of_customer_insights_has_its_names(row: tuple[str, ...], spelt: type[str]) -> None:
    written = [spelt(name).replace("ADI", "ADI") for name in row]
    assert is_header(written, ())
    suggested = suggest_matching([Column(name, "string") for name in row])
    assert suggested == dict(zip(("email", "firstName", "lastName", "phone"), row, strict=True))


@pytest.mark.parametrize(
    "row",
    [
        ("x", "Primary_Email"),
        ("City", "Hobby"),
        ("Kundennummer", "BIRTHDAY"),
        ("Email", ""),
        ("Email", "x" * 10_000),
        ("Email", "Postal\ncode", "a\x01"),
        ("Email", "2025", "#", "+49 30 123"),
        ("@odata.etag", "Email"),
        ("Email", "@", "x@y", "me@home"),
    ],
)
def test_a_row_with_a_usual_name_is_a_header_whatever_else_is_in_it(row: tuple[str, ...]) -> None:
    assert is_header(row, ())


@pytest.mark.parametrize(
    "row",
    [
        (),
        ("",),
        ("Jane", "Doe", "Berlin", "mail-at-x"),
        ("Jane", "Doe", "Berlin", "jane@example.com"),
        ("Email", "jane@example.com"),
        ("Email", "Jane <JANE@EXAMPLE.CO.UK>"),
        ("Email", "mailto:jane@münchen.example"),
        ("Email", "jane@почта.рф"),
        ("Hobby", "Shoe size"),
    ],
)
def test_a_row_that_may_be_a_person_is_no_header(row: tuple[str, ...]) -> None:
    assert not is_header(row, ())


def test_a_row_with_a_name_that_somebody_expects_is_a_header() -> None:
    assert is_header(("Hobby", " SCHUHGRÖSSE "), ("schuhgröße",))
    assert not is_header(("Hobby", "jane@example.com"), ("hobby",))
    assert not is_header(("", "Doe"), ("", " "))


PEOPLE_AND_PLACES = """
    James Mary John Patricia Robert Jennifer Michael Linda William Elizabeth David Barbara Richard Susan Joseph Jessica
    Anna Maria Eva Lena Leon Paul Max Jan Piotr Adam Ewa Jakub Zofia Lukas Jonas Emma Mia Noah Liam Olivia Ava Sophia
    Jean Pierre Marie Luc Camille Louis Juan Carlos José María Lucía Pablo Giulia Marco Luca Sofia João Ana Rui Inês
    Sven Lars Ole Kari Ville Aino Matti Mel Mark Page Zoë Jürgen Ad Bas Meno Thijs Emel Adi Ayşe Mehmet Can Deniz
    Ime Ho Ten Minh Anh Nguyễn Trần Lê Hồ Tên Kota
    Yuki Haruto Sakura 太郎 花子 健 美咲 佐藤 鈴木 田中 王 李 张 伟 芳 娜 김 이 박 성 민수 지은 Иван Анна Мария
    Сергей Ольга Дмитрий Іван Олена Γιώργος Μαρία Νίκος דוד שרה יוסף רחל محمد أحمد فاطمة علي
    राम सीता अमित प्रिया สมชาย สมหญิง Budi Siti Dewi Agus Wayan Nurul Ahmad Айгүл Нұрлан
    Smith Johnson Brown Jones Miller Davis Garcia Martinez Wilson Moore Street Church Hill Last First Handy Land Page
    Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Nowak Kowalski Novák Svoboda Horváth Nagy Kovács Popescu
    Rossi Russo Ferrari Silva Santos Oliveira Dubois Durand Bernard Martin De_Vries Jansen Hansen Nielsen Korhonen
    Nom Nome Mobile Berlin Paris London Madrid Roma Lisboa Amsterdam Warszawa Praha Bratislava Wien Oslo Stockholm
    Helsinki Budapest București София İstanbul Москва Київ Αθήνα ירושלים القاهرة 東京 大阪
    서울 부산 北京 上海 กรุงเทพ Jakarta Hanoi
    Kota_Kinabalu Zagreb Beograd Ljubljana Vilnius Rīga Tallinn Barcelona Bilbao Vigo Delhi Алматы Bath Reading Nice
    Tel_Aviv Cork Split Mail_Boxes Male Essen Bergen Nancy Orange Mobile Phoenix Corona Como Pisa Bari Nami Tel Cap Cep
"""


@pytest.mark.parametrize("called", PEOPLE_AND_PLACES.split())
def test_no_person_and_no_place_is_called_like_a_column(called: str) -> None:
    assert not is_header((called.replace("_", " "), "17", "+44 1632 960001"), ())


def test_what_people_are_called_too_is_still_suggested() -> None:
    assert suggest_matching([Column("Nome", "string")]) == {"firstName": "Nome"}
    assert not is_usual("Nome")


def test_usual_names_are_plain_and_belong_to_one_member() -> None:
    names = [name for names in MEMBER_NAMES.values() for name in names]
    assert [plain_name(name) for name in names] == names
    assert len(set(names)) == len(names)
    assert "" not in names
    assert [names[0] for names in MEMBER_NAMES.values()] == ["email", "firstname", "lastname", "telephone"]


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("E-mail 1 - Value", "email1value"),
        ("Prénom ", "prenom"),
        ("Straße", "strasse"),
        ("ＥＭＡＩＬ", "email"),
        ("@odata.etag", "odataetag"),
        ("#", ""),
    ],
)
def test_names_are_compared_by_letters_and_digits(name: str, plain: str) -> None:
    assert plain_name(name) == plain
